/**
 * wire: protobuf bytes of a peer become a message, or are refused before anything is allocated.
 *
 * protobuf-c 1.4.1 recurses without limit, accepts invalid UTF-8 and strings with NUL in them
 * ("allow\0evil"), and grows hostile input 28-fold (measured). So the bytes are walked with the
 * descriptor first, and what is unpacked then may use only so much of an arena. And the way back.
 *
 * Threads: no state, any thread.
 */
#ifndef RPC_WIRE_H
#define RPC_WIRE_H

#include "base/arena.h"
#include "base/status.h"

#include <protobuf-c/protobuf-c.h>

enum {
    WIRE_DEPTH_MAX        = 32,       /* messages within messages */
    WIRE_FIELDS_MAX       = 100'000,  /* in all of them together */
    WIRE_MEMORY_FACTOR    = 4,        /* bytes of arena per byte of message */
    WIRE_MEMORY_BASE      = 64 << 10, /* bytes of arena that are always there */
    WIRE_MEMORY_PER_FIELD = 96, /* bytes: the parser's bookkeeping, which an arena cannot take back
                                 * before its end */
};

/** Walks `data` as a message of `type`. INVALID_ARGUMENT: malformed, a string with NUL or invalid
 * UTF-8, too deep or too many fields. Counts the fields in `ret_fields`, which may be NULL. */
status wire_check(const ProtobufCMessageDescriptor *type, bytes data, size_t *ret_fields,
                  struct error *reterr);

/** Checks and unpacks. The message lives as long as `arena` and is never freed by itself.
 * INVALID_ARGUMENT: as above, or it needs more memory than its size allows. */
status wire_unpack(const ProtobufCMessageDescriptor *type, bytes data, struct arena *arena,
                   void **ret_message, struct error *reterr);

/** Writes a message as protobuf_c_message_pack() does, without asking for its size first.
 * Returns the bytes that it takes; WIRE_PACK_FULL: more than `room`, and `out` holds a part. */
#define WIRE_PACK_FULL SIZE_MAX
size_t wire_pack(const ProtobufCMessage *message, uint8_t *out, size_t room);

#endif
