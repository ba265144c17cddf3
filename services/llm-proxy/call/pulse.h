/**
 * pulse: how fast providers answer of late, as this process has seen.
 *
 * Means over the last calls that were answered, of which each newer one counts more: it makes an
 * eighth of the mean. Threads: one loop.
 */
#ifndef LLM_PROXY_PULSE_H
#define LLM_PROXY_PULSE_H

#include <stdint.h>

enum { PULSE_PROVIDERS_MAX = 128 /* the first ones; of others nothing is known */ };

struct pulse;

struct pulse_of {
    int64_t calls;          /* that were answered since the start */
    int64_t answer_ms;      /* from the start of a call to its end, tries included; -1: no call */
    int64_t first_event_ms; /* of streams: to the first meaningful event; -1: no stream */
};

struct pulse *pulse_new(void); /* owned */
void pulse_freep(struct pulse **pulse);

/** A call was answered; a stream has begun to speak. A pulse of NULL is fine. */
void pulse_answered(struct pulse *pulse, const char *provider, int64_t after_ms);
void pulse_began(struct pulse *pulse, const char *provider, int64_t after_ms);

struct pulse_of pulse_look(const struct pulse *pulse, const char *provider);

#endif
