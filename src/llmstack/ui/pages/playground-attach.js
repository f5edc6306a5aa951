// Files that go with a message: images, made small, and texts, put into it.

/** Bytes of an image as it is chosen, and of a text. */
const IMAGE = 20 * 1024 * 1024;
const TEXT = 128 * 1024;
/** Pixels of the longer side; models look at less. */
const SIDE = 2048;
const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/**
 * What can be sent of `file`: `{image: {name, url}}` or `{file: {name, text}}`.
 *
 * Throws an Error that says why it cannot. Images are drawn anew: they lose what else the file
 * tells, such as where it was taken, and every server can read what comes out.
 */
export async function attach(file, whyBlind) {
  if (IMAGES.includes(file.type)) {
    if (whyBlind) throw new Error(whyBlind);
    if (file.size > IMAGE) throw new Error(`${file.name} has more than 20 MB.`);
    return { image: { name: file.name || "image", url: await drawn(file) } };
  }
  if (file.type.startsWith("image/") && file.type !== "image/svg+xml") throw new Error(`${file.name} is not a PNG, JPEG, WebP or GIF image.`);
  if (file.size > TEXT) throw new Error(`${file.name} has more than 128 KiB.`);
  return { file: { name: file.name || "text", text: await read(file) } };
}

async function read(file) {
  let text = "\0";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    // Said below.
  }
  if (text.includes("\0")) throw new Error(`${file.name} is neither a text nor an image.`);
  return text;
}

async function drawn(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not an image that this browser can read.`);
  }
  const share = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * share));
  canvas.height = Math.max(1, Math.round(bitmap.height * share));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL(file.type === "image/jpeg" ? "image/jpeg" : "image/png", 0.9);
}
