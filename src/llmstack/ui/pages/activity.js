import { append } from "../lib/dom.js";
import { complain } from "../lib/notice.js";
import { remember } from "../lib/router.js";
import { openRequest } from "./activity-detail.js";
import { finishedRequests } from "./activity-list.js";
import { liveRequests } from "./activity-live.js";
import { fromAddress, toAddress } from "./activity-query.js";

export const title = "Activity";

/** Requests that run and those that have ended; with `id` in the address, one of them opened. */
export async function show(main, { signal, query }) {
  const view = fromAddress(query);
  const keep = () => remember(toAddress(view));
  let opened = null;

  const open = (id) => {
    opened?.close();
    view.id = id;
    keep();
    opened = openRequest(id, signal, () => {
      opened = null;
      view.id = "";
      if (!signal.aborted) keep();
    });
  };
  const list = finishedRequests(view, { signal, keep, open });
  append(main, [liveRequests(signal), list.element]);
  if (view.id) open(view.id);
  await list.load().catch(complain);
}
