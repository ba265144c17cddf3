/**
 * wire: protobuf bytes of a peer become a message, or are refused. And the way back.
 *
 * protobuf-c 1.4.1 recurses without limit, accepts invalid UTF-8 and strings with NUL in them
 * ("allow\0evil"), and grows hostile input 28-fold (measured); and it goes over a message twice to
 * read it, and twice to write it. So its descriptors and structs are used, and neither way of it.
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
    WIRE_MEMORY_PER_FIELD = 96,       /* bytes of arena per field: lists of short texts */
};

/** The message lives as long as `arena` and is never freed by itself; what is said twice of one
 * field is the later, of a message both. INVALID_ARGUMENT: malformed, a string with NUL or invalid
 * UTF-8, too deep, too many fields, or it needs more memory than its size allows. */
status wire_unpack(const ProtobufCMessageDescriptor *type, bytes data, struct arena *arena,
                   void **ret_message, struct error *reterr);

/** Writes a message as protobuf_c_message_pack() does, without asking for its size first.
 * Returns the bytes that it takes; WIRE_PACK_FULL: more than `room`, and `out` holds a part. */
#define WIRE_PACK_FULL SIZE_MAX
size_t wire_pack(const ProtobufCMessage *message, uint8_t *out, size_t room);

enum { WIRE_BODY_STACK_MAX = 10 << 10 /* bytes; nearly every message */ };

/** A message on its way to where it is written, packed in one pass. On the stack of who sends it;
 * wire_body_done(). */
struct wire_body {
    bytes packed;
    uint8_t *heap; /* of a large one */
    uint8_t stack[WIRE_BODY_STACK_MAX];
};
void wire_body_begin(struct wire_body *body, const ProtobufCMessage *message); /* NULL: empty */
void wire_body_done(struct wire_body *body);

#endif
