document.documentElement.lang = LANGUAGE;

/* A table that scrolls can be scrolled with the keyboard. */
if (!window.loanappTables) {
  const makeReachable = () => {
    for (const part of document.querySelectorAll('[data-testid="stTable"], [data-testid="stTable"] div')) {
      if (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight) part.tabIndex = 0;
    }
  };
  let due = 0;
  window.loanappTables = new MutationObserver(() => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(makeReachable);
  });
  window.loanappTables.observe(document.body, { childList: true, subtree: true });
  window.addEventListener("resize", makeReachable);
  makeReachable();
}
