import { ownItems } from './own-items.js';

/** The items of a user's own history, the newest first. */
export const lastSeen = ownItems('last-seen', 'the user’s own items, the newest first', (items) => {
  const places = new Map<number, number>();
  items.forEach((item, place) => {
    places.set(item, place + 1);
  });
  return places;
});
