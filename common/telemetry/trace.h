/**
 * trace: W3C trace context, level 1 (https://www.w3.org/TR/trace-context-1/): which trace a call
 * belongs to. Travels in HTTP headers, RPC metadata, jobs and outgoing calls.
 */
#ifndef TELEMETRY_TRACE_H
#define TELEMETRY_TRACE_H

#include "base/random.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TRACE_ID_SIZE   = 16,
    SPAN_ID_SIZE    = 8,
    TRACE_TEXT_SIZE = 56,  /* "00-<32 hex>-<16 hex>-<2 hex>" and a NUL */
    TRACESTATE_MAX  = 512, /* bytes that are passed on; longer ones are dropped whole */
};

struct trace_context {
    uint8_t trace_id[TRACE_ID_SIZE];
    uint8_t span_id[SPAN_ID_SIZE]; /* of the caller's span */
    bool is_sampled;
};

/** Reads the value of `traceparent`. False for anything but a valid one: then start a new trace. A
 * higher version is read as far as version 00 goes, as the specification asks. */
bool trace_parse(str traceparent, struct trace_context *ret_context);

/** Writes version 00. */
void trace_format(const struct trace_context *context, char text[static TRACE_TEXT_SIZE]);

/** A new trace; ids from `random`, which a simulation seeds. */
struct trace_context trace_new(struct prng *random, bool is_sampled);

/** The same trace with a new span. */
struct trace_context trace_child(const struct trace_context *parent, struct prng *random);

#endif
