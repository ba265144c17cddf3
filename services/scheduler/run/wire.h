/**
 * wire: structs as protobuf messages, by tables of their fields. For what the journal and snapshots
 * keep (proto/journal.proto): made at every transition, so it allocates nothing per message.
 *
 * A field that is zero (or no value) is left out, as in proto3. JSON values are written as text;
 * one above PAYLOAD_INLINE_MAX goes to the payload table, once per content and run, and a reference
 * takes its place, in the field whose number is larger by WIRE_PAYLOAD_FIELD. Reading checks
 * everything: what it does not know or expect is DATA_LOSS, since it was our own writing.
 */
#ifndef SCHEDULER_WIRE_H
#define SCHEDULER_WIRE_H

#include "base/buf.h"
#include "scheduler/run/event_codec.h"
#include "scheduler/run/payload.h"
#include "json/json.h"

enum { WIRE_PAYLOAD_FIELD = 64 };

struct wire_field {
    uint32_t number; /* 1 to 63, or 140 to 200: their payload fields collide with no other */
    enum wire_kind {
        WIRE_BOOL, /* up to WIRE_I64: numbers */
        WIRE_U8,
        WIRE_U32,
        WIRE_SLOT, /* uint32_t, kept plus one: UINT32_MAX is left out */
        WIRE_ENUM, /* any enum of at most 255 values */
        WIRE_U64,
        WIRE_I64,
        WIRE_ID,     /* struct id: 16 bytes, or the last 8 if it begins as `id_base` says */
        WIRE_VALUE,  /* json */
        WIRE_INLINE, /* json that is never moved to the payload table */
    } kind;
    size_t offset; /* in the struct */
};

/** The first bytes of an id: milliseconds and partition. */
enum { WIRE_ID_BASE = 8 };

struct wire_table {
    const struct wire_field *fields;
    size_t count;
};

/* --- writing -----------------------------------------------------------------------------------
 */

struct wire_writer {
    struct buf *out; /* borrowed */
    struct buf text; /* scratch: a value's text; owned */
    struct payload_index *index;
    const struct payload_store *payloads;
    const uint8_t *id_base; /* WIRE_ID_BASE bytes, borrowed; NULL: ids are kept whole */
    uint64_t payload; /* of the value in the field `payload_of` of the last message; 0: inline */
    uint32_t payload_of;
    bool is_inline; /* nothing is moved to the payload table */
};

void wire_writer_init(struct wire_writer *writer, struct payload_index *index,
                      const struct payload_store *payloads, struct buf *out);
void wire_writer_done(struct wire_writer *writer);

void wire_put_uint(struct wire_writer *writer, uint32_t number, uint64_t value);
void wire_put_bytes(struct wire_writer *writer, uint32_t number, str data);
void wire_put_ref(struct wire_writer *writer, uint32_t number, uint64_t payload,
                  const uint8_t hash[static PAYLOAD_HASH_SIZE]);
/** All fields of `object` that are not zero. Fails as the payload store does, or
 * RESOURCE_EXHAUSTED: a value above PAYLOAD_MAX. */
status wire_put(struct wire_writer *writer, const struct wire_table *table, const void *object,
                struct error *reterr);
/** The same as a message within, in field `number`. `scratch` is borrowed and overwritten. */
status wire_put_message(struct wire_writer *writer, uint32_t number, const struct wire_table *table,
                        const void *object, struct buf *scratch, struct error *reterr);

/* --- reading -----------------------------------------------------------------------------------
 */

struct wire_reader {
    str rest;
    struct payload_index *index;
    const struct payload_store *payloads;
    const uint8_t *id_base; /* as it was written */
    /* The field at hand. */
    uint32_t number;
    bool is_bytes;
    uint64_t value; /* unless is_bytes */
    str data;       /* if is_bytes: a view */
};

/** Steps to the next field; `*ret_more` false at the end. */
status wire_next(struct wire_reader *reader, bool *ret_more, struct error *reterr);

/** Puts the field at hand where the table says; `*ret_known` false: it has no such field. */
status wire_take(struct wire_reader *reader, const struct wire_table *table, void *object,
                 bool *ret_known, struct error *reterr);

/** A whole message of known fields into zeroed `object`. What was read before a failure stays. */
status wire_read(str message, const struct wire_reader *outer, const struct wire_table *table,
                 void *object, struct error *reterr);

/** The field at hand as a PayloadRef, which is noted in the index. */
status wire_read_ref(struct wire_reader *reader, uint64_t *ret_payload, struct error *reterr);

/** The same without an index; `*ret_hash` is a view of PAYLOAD_HASH_SIZE bytes. */
status wire_look_at_ref(const struct wire_reader *reader, uint64_t *ret_payload, str *ret_hash,
                        struct error *reterr);

#endif
