/*
 * Messages as protobuf_c_message_pack() writes them, but in one pass, into a room that has an end
 * or into one that grows. Packing needs a size first there, which looks at all fields a second
 * time: most fields of our rows and answers are empty, so looking is the work.
 */
#include "base/mem.h"
#include "rpc/wire_internal.h"

#include <stdlib.h>
#include <string.h>

struct packer {
    uint8_t *start, *at;
    const uint8_t *end;
    bool is_full;
    bool may_grow; /* into memory of its own */
    uint8_t *heap; /* that memory; NULL: there is none so far */
};

static void grow(struct packer *packer, size_t more)
{
    size_t used    = (size_t)(packer->at - packer->start);
    size_t doubled = 2 * (size_t)(packer->end - packer->start);
    size_t room    = used + more > doubled ? used + more : doubled;
    bool is_first  = !packer->heap;
    packer->heap   = mem_resize(packer->heap, room, 1);
    if (is_first) memcpy(packer->heap, packer->start, used);
    packer->start = packer->heap;
    packer->at    = packer->start + used;
    packer->end   = packer->start + room;
}

static inline bool has_room(struct packer *packer, size_t size)
{
    if (size <= (size_t)(packer->end - packer->at)) return true;
    if (packer->may_grow) {
        grow(packer, size);
    } else {
        packer->is_full = true;
    }
    return packer->may_grow;
}

static void put_long_varint(struct packer *packer, uint64_t value)
{
    size_t size = 1;
    for (uint64_t left = value; left >= 0x80; left >>= 7) size++;
    if (!has_room(packer, size)) return;
    while (value >= 0x80) {
        *packer->at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *packer->at++ = (uint8_t)value;
}

/* Tags, lengths and numbers have one byte, mostly. */
static inline void put_varint(struct packer *packer, uint64_t value)
{
    if (value < 0x80 && packer->at < packer->end) {
        *packer->at++ = (uint8_t)value;
    } else {
        put_long_varint(packer, value);
    }
}

static void put_raw(struct packer *packer, const void *data, size_t size)
{
    if (size == 0 || !has_room(packer, size)) return;
    memcpy(packer->at, data, size);
    packer->at += size;
}

static void put_little_endian(struct packer *packer, uint64_t value, size_t size)
{
    uint8_t raw[sizeof value];
    for (size_t i = 0; i < size; i++) raw[i] = (uint8_t)(value >> (8 * i));
    put_raw(packer, raw, size);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

size_t wire_number_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM: return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    default: return sizeof(uint64_t);
    }
}

/* The bits of a number, not extended. */
static uint64_t number_at(const void *member, size_t size)
{
    static_assert(sizeof(protobuf_c_boolean) == sizeof(uint32_t));
    uint64_t wide   = 0;
    uint32_t narrow = 0;
    if (size == sizeof wide) {
        memcpy(&wide, member, sizeof wide);
        return wide;
    }
    memcpy(&narrow, member, sizeof narrow);
    return narrow;
}

enum wire_type wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_32;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
    default: return WIRE_VARINT;
    }
}

static void put_number(struct packer *packer, ProtobufCType type, uint64_t bits)
{
    uint64_t extended = (uint64_t)(int64_t)(int32_t)(uint32_t)bits;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM: put_varint(packer, extended); return;
    case PROTOBUF_C_TYPE_SINT32:
        put_varint(packer, (uint32_t)bits << 1 ^ (uint32_t)(extended >> 63 ? UINT32_MAX : 0));
        return;
    case PROTOBUF_C_TYPE_SINT64:
        put_varint(packer, bits << 1 ^ (bits >> 63 ? UINT64_MAX : 0));
        return;
    case PROTOBUF_C_TYPE_BOOL: put_varint(packer, bits != 0); return;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT: put_little_endian(packer, bits, sizeof(uint32_t)); return;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: put_little_endian(packer, bits, sizeof(uint64_t)); return;
    default: put_varint(packer, bits); return;
    }
}

static void put_tag(struct packer *packer, uint32_t number, enum wire_type type)
{
    put_varint(packer, (uint64_t)number << TAG_BITS | type);
}

/* --- what has a length -------------------------------------------------------------------------
 */

/* The length stands before what is packed now: room for one byte is left, and more is made. Returns
 * where it stands. */
static size_t begin_sized(struct packer *packer)
{
    size_t at = (size_t)(packer->at - packer->start);
    if (has_room(packer, 1)) packer->at++;
    return at;
}

static void end_sized(struct packer *packer, size_t at)
{
    if (packer->is_full) return;
    size_t size = (size_t)(packer->at - packer->start) - at - 1;
    size_t more = 0;
    for (size_t left = size; left >= 0x80; left >>= 7) more++;
    if (!has_room(packer, more)) return;
    uint8_t *length = packer->start + at;
    if (more > 0) memmove(length + 1 + more, length + 1, size);
    packer->at += more;
    for (; size >= 0x80; size >>= 7) *length++ = (uint8_t)(size | 0x80);
    *length = (uint8_t)size;
}

static void put_message(struct packer *packer, const ProtobufCMessage *message);

static void put_value(struct packer *packer, const ProtobufCFieldDescriptor *field,
                      const void *member)
{
    const char *text;
    ProtobufCBinaryData data;
    const ProtobufCMessage *message;
    put_tag(packer, field->id, wire_type_of(field->type));
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&text, member, sizeof text);
        size_t length = text ? strlen(text) : 0;
        put_varint(packer, length);
        put_raw(packer, text, length);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&data, member, sizeof data);
        put_varint(packer, data.len);
        put_raw(packer, data.data, data.len);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(&message, member, sizeof message);
        size_t begin = begin_sized(packer);
        if (message) put_message(packer, message);
        end_sized(packer, begin);
        return;
    default:
        put_number(packer, field->type, number_at(member, wire_number_size(field->type)));
        return;
    }
}

/* --- fields ------------------------------------------------------------------------------------
 */

size_t wire_item_size(ProtobufCType type)
{
    if (type == PROTOBUF_C_TYPE_BYTES) return sizeof(ProtobufCBinaryData);
    bool is_pointer = type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE;
    return is_pointer ? sizeof(void *) : wire_number_size(type);
}

static void put_repeated(struct packer *packer, const ProtobufCFieldDescriptor *field, size_t count,
                         const char *items)
{
    size_t size = wire_item_size(field->type);
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_PACKED)) {
        for (size_t i = 0; i < count; i++) put_value(packer, field, items + i * size);
        return;
    }
    put_tag(packer, field->id, WIRE_BYTES);
    size_t begin = begin_sized(packer);
    for (size_t i = 0; i < count; i++) {
        put_number(packer, field->type, number_at(items + i * size, size));
    }
    end_sized(packer, begin);
}

/* Says whether a field of proto3 has nothing to be written. */
static inline bool is_empty(ProtobufCType type, const void *member)
{
    const char *text;
    size_t size;
    uint32_t narrow;
    uint64_t wide;
    switch (type) {
    case PROTOBUF_C_TYPE_STRING: memcpy(&text, member, sizeof text); return !text || !*text;
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&size, (const char *)member + offsetof(ProtobufCBinaryData, len), sizeof size);
        return size == 0;
    case PROTOBUF_C_TYPE_MESSAGE: memcpy(&text, member, sizeof text); return !text;
    case PROTOBUF_C_TYPE_FLOAT: return *(const float *)member == 0;
    case PROTOBUF_C_TYPE_DOUBLE: return *(const double *)member == 0;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: memcpy(&wide, member, sizeof wide); return wide == 0;
    default: memcpy(&narrow, member, sizeof narrow); return narrow == 0;
    }
}

/* A text or message that is there, and not the one that stands for none. */
static bool has_target(const ProtobufCFieldDescriptor *field, const void *member)
{
    const void *target = NULL;
    memcpy(&target, member, sizeof target);
    return target && target != field->default_value;
}

/* Of a field that says so by itself, also if it is 0. `quantifier`: which one was chosen of
 * several, or whether a number or bytes are there. */
static bool is_present(const ProtobufCFieldDescriptor *field, const void *quantifier,
                       const void *member)
{
    bool is_pointer =
        field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
    bool is_one_of = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED) return true;
    if (is_one_of && number_at(quantifier, sizeof field->id) != field->id) return false;
    if (is_pointer) return has_target(field, member);
    return is_one_of || number_at(quantifier, sizeof(protobuf_c_boolean)) != 0;
}

static void put_message(struct packer *packer, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields && !packer->is_full; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const char *member                    = (const char *)message + field->offset;
        const char *quantifier                = (const char *)message + field->quantifier_offset;
        bool is_plain =
            field->label == PROTOBUF_C_LABEL_NONE && !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
        if (is_plain) {
            if (!is_empty(field->type, member)) put_value(packer, field, member);
        } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count;
            const char *items;
            memcpy(&count, quantifier, sizeof count);
            memcpy(&items, member, sizeof items);
            if (count > 0) put_repeated(packer, field, count, items);
        } else if (is_present(field, quantifier, member)) {
            put_value(packer, field, member);
        }
    }
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        put_tag(packer, field->tag, (enum wire_type)field->wire_type);
        put_raw(packer, field->data, field->len);
    }
}

size_t wire_pack(const ProtobufCMessage *message, uint8_t *out, size_t room)
{
    struct packer packer = {.start = out, .at = out, .end = out + room};
    put_message(&packer, message);
    return packer.is_full ? WIRE_PACK_FULL : (size_t)(packer.at - out);
}

void wire_body_begin(struct wire_body *body, const ProtobufCMessage *message)
{
    struct packer packer = {.start    = body->stack,
                            .at       = body->stack,
                            .end      = body->stack + sizeof body->stack,
                            .may_grow = true};
    if (message) put_message(&packer, message);
    body->packed = (bytes){packer.start, (size_t)(packer.at - packer.start)};
    body->heap   = packer.heap;
}

void wire_body_done(struct wire_body *body)
{
    free(body->heap);
}
