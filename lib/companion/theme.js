// Before anything is drawn: the theme last chosen on any page, else the system's.
const themed = dark => { document.documentElement.dataset.theme = dark ? "dark" : "light"; };
const stored = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
themed(stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
