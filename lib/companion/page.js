// The theme button, contents folded where there is little room, pictures enlarged, links into folds.
const button = document.getElementById("theme"), large = document.getElementById("large");
const isDark = () => document.documentElement.dataset.theme === "dark";
const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
name();
button.addEventListener("click", () => {
  themed(!isDark()); name();
  try { localStorage.setItem("theme", isDark() ? "dark" : "light"); } catch { /* not kept, then */ }
});

if (matchMedia("(max-width: 75rem)").matches) document.querySelector(".contents details")?.removeAttribute("open");

for (const each of document.querySelectorAll(".enlarge")) each.addEventListener("click", () => {
  large.querySelector("div").replaceChildren(each.querySelector("img").cloneNode());
  large.showModal();
});
large.addEventListener("click", event => { if (event.target.tagName !== "IMG") large.close(); });
