// Every page: light and dark, and tooltips.
const root = document.documentElement;

const themes = ["auto", "light", "dark"];
const startTheme = () => {
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const now = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (now === "auto") delete root.dataset.theme; else root.dataset.theme = now;
    theme.textContent = `Theme: ${now}`;
  });
};

// Tooltips for everything that has one, by pointer and by keyboard.
const tip = document.getElementById("tip");
let owner = null;
const hideTip = () => { tip.hidden = true; owner = null; };
const showTip = (node) => {
  owner = node;
  // An open dialog covers everything outside it, so its tips must be inside.
  (node.closest("dialog") || document.body).append(tip);
  tip.textContent = node.dataset.tip;
  tip.hidden = false;
  const box = node.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), root.clientWidth - own.width - 8);
  const above = box.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : box.bottom + 8}px`;
};
const tipped = (event) => event.target.closest && event.target.closest("[data-tip]");
const startTips = () => {
  document.addEventListener("pointerover", (event) => {
    const node = tipped(event);
    if (node) showTip(node); else if (owner && owner !== document.activeElement) hideTip();
  });
  document.addEventListener("focusin", (event) => {
    const node = tipped(event);
    if (node && node.matches(":focus-visible")) showTip(node); else hideTip();
  });
  document.addEventListener("focusout", hideTip);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  window.addEventListener("scroll", hideTip, { passive: true, capture: true });
};

startTheme();
startTips();
