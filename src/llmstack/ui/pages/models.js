export const title = "Models";

export async function show() {}
