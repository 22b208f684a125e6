// What is folded away in a <template> is made when it is opened, so that a page of many images is there at once.
function unfold(template) {
  const details = template.parentElement;
  template.replaceWith(template.content);
  details.open = true;
}
document.addEventListener("toggle", (event) => {
  const template = event.target.querySelector(":scope > template");
  if (template) unfold(template);
}, true);
function follow() {
  const id = location.hash.slice(1);
  for (const template of document.querySelectorAll("template")) {
    if (id && template.content.getElementById(id)) unfold(template);
  }
  if (id) document.getElementById(id)?.scrollIntoView();
}
addEventListener("hashchange", follow);
follow();
