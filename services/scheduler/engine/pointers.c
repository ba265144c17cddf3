/* Lists of what a turn has touched and answered. */
#include "scheduler/engine/pointers.h"

#include "base/mem.h"

#include <stdlib.h>

enum { POINTERS_CAPACITY = 256 };

void pointers_push(struct pointers *list, void *item)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : POINTERS_CAPACITY;
        list->items    = mem_resize(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = item;
}

void pointers_done(struct pointers *list)
{
    free(list->items);
    *list = (struct pointers){};
}
