/**
 * zone: the offsets of a time zone from UTC, as the system's zoneinfo knows them (TZif, RFC 9636).
 *
 * Promises: any bytes are read without fault; what is no zone is refused. A zone goes on for ever
 * after its last line, by the rule in its footer, as `date` has it. What it does not do: leap
 * seconds (the zones of `right/` are refused), version 1 of the format, names of zones (CET, CEST).
 *
 * Threads: a zone is const. Limits: ZONE_FILE_MAX, ZONE_NAME_MAX.
 */
#ifndef WORKFLOW_ZONE_H
#define WORKFLOW_ZONE_H

#include "base/status.h"
#include "base/str.h"

#include <stdint.h>

enum {
    ZONE_FILE_MAX = 64 << 10, /* bytes; the largest of 2025 has 4 KiB */
    ZONE_NAME_MAX = 64,       /* bytes */
};

struct zone;

/** Reads a TZif file. Owned: zone_free(). INVALID_ARGUMENT: it is none. */
status zone_read(bytes file, struct zone **ret_zone, struct error *reterr);

/** The zone of an IANA name, from TZDIR or /usr/share/zoneinfo. NOT_FOUND: the system has none of
 * this name. Fails as zone_read(). */
status zone_load(str name, struct zone **ret_zone, struct error *reterr);

void zone_free(struct zone *zone); /* NULL is fine */
void zone_freep(struct zone **zone);

/** A stretch of time with one offset: from `from_us` until before `until_us`, of Unix time.
 * INT64_MIN and INT64_MAX: it has no end there. */
struct zone_span {
    int64_t from_us, until_us;
    int64_t offset_us; /* local time less UTC */
};

/** The stretch that a time is in. Neighbours may have the same offset. NULL is UTC. */
struct zone_span zone_span_at(const struct zone *zone, int64_t at_us);

#endif
