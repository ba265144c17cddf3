/** poll_list: polls that are parked at one place, the longest first. */
#ifndef SCHEDULER_POLL_LIST_H
#define SCHEDULER_POLL_LIST_H

struct poll_place;

struct poll_list {
    struct poll_place *first, *last;
};

#endif
