/** pointers: a list of what a turn has touched or answered. Its owner is the engine's thread. */
#ifndef SCHEDULER_POINTERS_H
#define SCHEDULER_POINTERS_H

#include <stddef.h>

/** A list of pointers that keeps its memory over the turns. */
struct pointers {
    void **items;
    size_t count, capacity;
};
void pointers_push(struct pointers *list, void *item);
void pointers_done(struct pointers *list);

#endif
