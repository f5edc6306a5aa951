// Builds elements. Text is always text: nothing here, and nothing in the pages, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Addresses that a link may have; `javascript:` and the like are none. */
const ADDRESS = /^(https?:|mailto:|blob:|[/?#]|$)/i;

/**
 * An HTML element.
 *
 * `attributes`: a function under `onclick` and the like is listened with; `style` is an object of
 * CSS properties; `true` sets an empty attribute; `false`, `null` and `undefined` leave it out;
 * `class` may be a list. `children` are nodes, texts, numbers, or lists of them; `null`,
 * `undefined` and `false` are left out.
 */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An SVG element; see `h`. */
export function svg(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  append(element, children);
  return element;
}

/** Set one attribute by the rules of `h`. */
export function set(element, name, value) {
  if (name.startsWith("on")) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    return;
  }
  if (name === "style") {
    for (const [property, text] of Object.entries(value ?? {})) {
      element.style.setProperty(property, text);
    }
    return;
  }
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
    return;
  }
  let text = value === true ? "" : Array.isArray(value) ? value.filter(Boolean).join(" ") : String(value);
  if ((name === "href" || name === "src") && !isAddress(text)) text = "";
  element.setAttribute(name, text);
}

/** Whether `text` may be the target of a link. */
export function isAddress(text) {
  const plain = text.replace(/[\u0000-\u0020]/g, "");
  return ADDRESS.test(plain) || /^data:image\/(png|jpe?g|gif|webp);/i.test(plain);
}

/** Add children by the rules of `h`. */
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Give `element` these children instead of those that it has. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Make `element` say `text`, touching it only if it says something else. */
export function say(element, text) {
  const wanted = String(text ?? "");
  if (element.textContent !== wanted) element.textContent = wanted;
}

/**
 * Make the children of `parent` those of `items`, reusing an element whose key is the same, so that
 * focus, selection and scrolling survive.
 *
 * `key(item)` is a text, `create(item)` an element, and `update(element, item)` makes it show the
 * item; it is called for new elements too.
 */
export function keyed(parent, items, key, create, update) {
  const former = (parent.keyed ??= new Map());
  const present = new Map();
  let before = null;
  for (const item of items) {
    const name = key(item);
    const element = former.get(name) ?? create(item);
    update?.(element, item);
    present.set(name, element);
    const place = before ? before.nextSibling : parent.firstChild;
    if (place !== element) parent.insertBefore(element, place);
    before = element;
  }
  for (const [name, element] of former) {
    if (present.get(name) !== element) element.remove();
  }
  parent.keyed = present;
}
