// Elements, found and made. What a person typed only ever becomes text.

/**
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any} the element; a page without it is a mistake of ours
 */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/**
 * @param {string} id  of a <template>
 * @returns {any} its first element, fresh
 */
export function make(id) {
  const template = /** @type {HTMLTemplateElement} */ (find(`#${id}`));
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild;
}

/**
 * @param {Element} button
 * @param {string} icon   a symbol of icons.svg
 * @param {string} [label]
 */
export function setIcon(button, icon, label) {
  const use = find("use", button);
  use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${icon}`);
  if (label) {
    button.setAttribute("aria-label", label);
    button.setAttribute("title", label);
    const text = button.querySelector(".label");
    if (text) text.textContent = label;
  }
}

/**
 * @param {Element} list
 * @param {string[]} texts  a line each, in place of what was there
 */
export function setLines(list, texts) {
  list.replaceChildren(
    ...texts.map((text) => {
      const line = document.createElement("li");
      line.textContent = text;
      return line;
    }),
  );
}

/**
 * Say something to everyone, seen and heard.
 *
 * @param {string} text
 */
export function announce(text) {
  const region = find("#announcements");
  const line = document.createElement("p");
  line.textContent = text;
  region.append(line);
  setTimeout(() => line.remove(), 5000);
}
