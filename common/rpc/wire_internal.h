/** wire: what reading and writing of messages share. */
#ifndef RPC_WIRE_INTERNAL_H
#define RPC_WIRE_INTERNAL_H

#include "rpc/wire.h"

enum { VARINT_SIZE_MAX = 10, TAG_BITS = 3 };

/* https://protobuf.dev/programming-guides/encoding/#structure; groups (3, 4) are refused. */
enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/** How a value of it stands on the wire. */
enum wire_type wire_type_of(ProtobufCType type);

/** Bytes that a number has in a message, and any value in a list. */
size_t wire_number_size(ProtobufCType type);
size_t wire_item_size(ProtobufCType type);

#endif
