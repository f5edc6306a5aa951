export const title = "Activity";

export async function show() {}
