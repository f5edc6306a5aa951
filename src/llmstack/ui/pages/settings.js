export const title = "Settings";

export async function show() {}
