export const title = "Routing";

export async function show() {}
