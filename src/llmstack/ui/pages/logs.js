export const title = "Logs";

export async function show() {}
