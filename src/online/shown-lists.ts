import type { OnlineEvent } from './events.js';

/** Items of a list that an event is journalled with. */
const MOST_ITEMS = 100;

/** What the newest lists showed, by request id: an event that names its list goes into the journal with what it was chosen from. */
export class ShownLists {
  private readonly lists = new Map<
    string,
    { readonly user: string | undefined; readonly items: readonly string[] }
  >();

  /** @param most lists kept; 0: none, and events stay as they are */
  constructor(private readonly most: number) {}

  keep(requestId: string, user: string | undefined, items: readonly { readonly item: string }[]): void {
    if (this.most === 0) return;
    this.lists.set(requestId, { user, items: items.slice(0, MOST_ITEMS).map(({ item }) => item) });
    if (this.lists.size > this.most) this.lists.delete(this.lists.keys().next().value!);
  }

  forget(user: string): void {
    for (const [requestId, list] of this.lists) if (list.user === user) this.lists.delete(requestId);
  }

  /** The events, each with what the list that it names showed, where that is still known. */
  with(events: readonly OnlineEvent[]): readonly OnlineEvent[] {
    if (this.lists.size === 0) return events;
    return events.map((event) => {
      const shown = event.requestId === undefined ? undefined : this.lists.get(event.requestId);
      return shown ? { ...event, shown: shown.items } : event;
    });
  }
}
