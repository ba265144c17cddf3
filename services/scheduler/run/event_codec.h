/**
 * event_codec: the events of one command as one journal entry, and back.
 *
 * An entry is the protobuf message JournalEntry of proto/journal.proto. It is written and read by
 * our own code (wire.h), since entries are made at every transition: no allocation per event, no
 * field that is zero, and values that the state already has are left out. A test holds it against
 * the generated code.
 *
 * Values above PAYLOAD_INLINE_MAX go to the loop's payload table, once per content and run; the
 * entry names the payload. What comes from disk is checked: damage is DATA_LOSS.
 */
#ifndef SCHEDULER_EVENT_CODEC_H
#define SCHEDULER_EVENT_CODEC_H

#include "base/buf.h"
#include "scheduler/run/event.h"

struct run;

enum {
    PAYLOAD_INLINE_MAX = 1024,      /* bytes of JSON that stay in the entry */
    PAYLOAD_MAX        = 64 << 20,  /* bytes of one value */
    ENTRY_MAX          = 256 << 20, /* bytes of one entry */
};

/** The loop's payload table, as the codec sees it. */
struct payload_store {
    /** Keeps `text` and returns its number, which is not 0. */
    status (*store)(str text, uint64_t *ret_payload, void *context, struct error *reterr);
    /** Returns a view, valid until the next call. DATA_LOSS: there is none of that number. */
    status (*load)(uint64_t payload, str *ret_text, void *context, struct error *reterr);
    void *context;
};

/** What an entry says before its events. */
struct entry_header {
    uint8_t run[ID_BYTES];
    uint64_t previous;       /* journal sequence of this run's entry before; 0: none */
    uint64_t first_sequence; /* of its first event */
    int64_t time_us;
    uint64_t retry_from; /* the event before which the state is to be kept; 0: none */
};

/** Appends the entry of `count` events (at least one) which `run` has just decided and applied.
 * Sets `value_payload` in events whose value went to the payload table. Fails as the store does,
 * and with RESOURCE_EXHAUSTED past a limit. */
status entry_pack(struct run *run, struct event *events, size_t count, uint64_t previous,
                  const struct payload_store *payloads, struct buf *out, struct error *reterr);

/** What the fields of an entry and of its events are: for rewriting without the run. */
enum { ENTRY_RUN_FIELD = 1, ENTRY_PREVIOUS_FIELD = 2 };
bool entry_field_is_event(uint32_t number);
bool event_field_is_value(uint32_t number); /* JSON text, in the entry itself */
bool event_field_is_error(uint32_t number); /* such one that is an error */
bool event_field_is_ref(uint32_t number);   /* PayloadRef of a value that does not */

/** Reads the header alone: for walking a run's entries backwards. */
status entry_read_header(bytes entry, struct entry_header *ret_header, struct error *reterr);

/** Called for each event of an entry, before it is applied; event_view() works on it. */
typedef void entry_visitor(const struct run *run, const struct event *event, void *context);

/** What an entry left in other tables. */
struct entry_scanner {
    void (*payload)(uint64_t payload,
                    void *context); /* it names one; the same one may come twice */
    /* As the journal keeps it: nothing that only the state tells, and null for values in payloads.
     */
    void (*event)(const struct event *event, void *context);
    void *context;
};

/** Reads an entry without the run it belongs to: for deleting it. DATA_LOSS: damaged. */
status entry_scan(bytes entry, const struct entry_scanner *scanner, struct error *reterr);

/**
 * Applies the events of an entry to `run`, which stands just before it. `visit` may be NULL.
 * DATA_LOSS: damaged, of another run, or not the next one; then `run` must be thrown away.
 */
status entry_replay(struct run *run, bytes entry, const struct payload_store *payloads,
                    entry_visitor *visit, void *context, struct error *reterr);

#endif
