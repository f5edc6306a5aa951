export const title = "Performance";

export async function show() {}
