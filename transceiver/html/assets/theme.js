// Before anything is drawn: the theme chosen last time, if any; else that of the system.
(() => {
  try {
    const kept = localStorage.getItem("transceiver-theme");
    if (kept) document.documentElement.dataset.theme = kept;
  } catch { /* a browser that keeps nothing shows the theme of the system */ }
})();
