/**
 * event_log: the events of one answer, kept to be said again.
 *
 * Fragments of one part that follow each other become one event. Chunks (event.h) are not kept:
 * what is said again is printed anew in any protocol. Errors end a log's use: it says so.
 *
 * Threads: none of its own; a log that is full grown is only read.
 */
#ifndef LLM_PROXY_EVENT_LOG_H
#define LLM_PROXY_EVENT_LOG_H

#include "base/buf.h"
#include "llm-proxy/stream/event.h"

struct event_log {
    struct buf data;
    size_t last;    /* where the last event begins */
    bool is_broken; /* an error, more than fits, or what cannot be said again */
};

/** At most `size_max` bytes. Release: event_log_done(). */
struct event_log event_log_init(size_t size_max);
void event_log_done(struct event_log *log);

/** Empties it: another try begins. */
void event_log_clear(struct event_log *log);

/** A sink: `context` is the log. */
void event_log_take(const struct llm_event *event, void *context);

/** What `data` of a log of that format was: EVENT_LOG_FORMAT, else nothing can be read. */
enum { EVENT_LOG_FORMAT = 1 };

/** Takes a copy of the data of a log that was full grown. False: it is none. */
bool event_log_read(str data, struct event_log *ret_log);

/** Says all events, in their order. */
void event_log_play(const struct event_log *log, llm_sink *sink, void *context);

#endif
