// What the theme leaves out: its copy buttons stand in a landmark without a name, which is none,
// and what scrolls sideways must be reached by keyboard.
const mend = () => {
  for (const place of document.querySelectorAll("nav.md-code__nav:not([role])"))
    place.setAttribute("role", "presentation");
  const scrolling = "pre > code:not([tabindex]), .md-typeset__scrollwrap:not([tabindex])";
  for (const place of document.querySelectorAll(scrolling)) place.setAttribute("tabindex", "0");
};
mend();
new MutationObserver(mend).observe(document.documentElement, {
  attributeFilter: ["tabindex"],
  childList: true,
  subtree: true,
});
