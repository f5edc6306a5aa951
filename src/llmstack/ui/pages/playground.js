export const title = "Playground";

export async function show() {}
