/*
 * A message is read in one pass, checked and filled at the same time. What it takes of an arena is
 * bounded by its size on the wire, and a part of it that is refused goes with its arena.
 */
#include "base/utf8.h"
#include "rpc/wire_internal.h"

enum { FIELD_NUMBER_MAX = (1 << 29) - 1, LIST_MIN = 4 /* items that a list has room for first */ };

struct unpacker {
    const uint8_t *start, *at;
    struct arena *arena;
    size_t fields; /* seen so far */
    size_t left;   /* bytes of the arena that may be taken */
    unsigned depth;
    struct error *reterr;
};

/* A message that is being filled. */
struct target {
    const ProtobufCMessageDescriptor *type;
    char *message;
    const uint8_t *end;
    unsigned next; /* index of the field that probably comes next: they mostly stand in order */
    /* The list that was added to last, and what it has room for. */
    const ProtobufCFieldDescriptor *list;
    size_t capacity;
};

/* What stands before a value. */
struct tag {
    uint32_t number;
    enum wire_type type;
};

static status malformed(const struct unpacker *unpacker, const struct target *target,
                        const char *what)
{
    return fail(unpacker->reterr, STATUS_INVALID_ARGUMENT, "%s: %s at byte %zu",
                target->type->short_name, what, (size_t)(unpacker->at - unpacker->start));
}

static void *take(struct unpacker *unpacker, size_t size)
{
    if (size > unpacker->left) return NULL;
    unpacker->left -= size;
    return arena_alloc(unpacker->arena, size);
}

static status out_of_room(const struct unpacker *unpacker, const struct target *target)
{
    return malformed(unpacker, target, "more than its size allows");
}

/* --- bytes ------------------------------------------------------------------------------------ */

static status read_long_varint(struct unpacker *unpacker, const struct target *target,
                               uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
        if (unpacker->at == target->end) return malformed(unpacker, target, "cut off");
        uint8_t byte = *unpacker->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret_value = value;
            return STATUS_OK;
        }
    }
    return malformed(unpacker, target, "integer of more than 10 bytes");
}

/* Tags, lengths and numbers have one byte, mostly. */
static inline status read_varint(struct unpacker *unpacker, const struct target *target,
                                 uint64_t *ret_value)
{
    if (unpacker->at == target->end || *unpacker->at >= 0x80) {
        return read_long_varint(unpacker, target, ret_value);
    }
    *ret_value = *unpacker->at++;
    return STATUS_OK;
}

static status read_little_endian(struct unpacker *unpacker, const struct target *target,
                                 size_t size, uint64_t *ret_value)
{
    if (size > (size_t)(target->end - unpacker->at)) return malformed(unpacker, target, "cut off");
    *ret_value = 0;
    for (size_t i = 0; i < size; i++) *ret_value |= (uint64_t)unpacker->at[i] << (8 * i);
    unpacker->at += size;
    return STATUS_OK;
}

/* The bytes of a value with a length. */
static status read_sized(struct unpacker *unpacker, const struct target *target, str *ret_data)
{
    uint64_t size;
    TRY(read_varint(unpacker, target, &size));
    if (size > (uint64_t)(target->end - unpacker->at)) {
        return malformed(unpacker, target, "cut off");
    }
    *ret_data = (str){(const char *)unpacker->at, (size_t)size};
    unpacker->at += size;
    return STATUS_OK;
}

static status read_tag(struct unpacker *unpacker, const struct target *target, struct tag *ret_tag)
{
    uint64_t tag;
    TRY(read_varint(unpacker, target, &tag));
    uint64_t number = tag >> TAG_BITS;
    if (number < 1 || number > FIELD_NUMBER_MAX) {
        return malformed(unpacker, target, "no such field");
    }
    if (++unpacker->fields > WIRE_FIELDS_MAX) {
        return malformed(unpacker, target, "too many fields");
    }
    unpacker->left += WIRE_MEMORY_PER_FIELD;
    *ret_tag = (struct tag){(uint32_t)number, (enum wire_type)(tag & ((1 << TAG_BITS) - 1))};
    return STATUS_OK;
}

/* --- values ----------------------------------------------------------------------------------- */

static status read_number(struct unpacker *unpacker, const struct target *target,
                          ProtobufCType type, void *member)
{
    uint64_t bits       = 0;
    enum wire_type wire = wire_type_of(type);
    if (wire == WIRE_VARINT) {
        TRY(read_varint(unpacker, target, &bits));
    } else {
        TRY(read_little_endian(unpacker, target, wire_number_size(type), &bits));
    }
    if (type == PROTOBUF_C_TYPE_BOOL) bits = bits != 0;
    if (type == PROTOBUF_C_TYPE_SINT32) bits &= UINT32_MAX;
    if (type == PROTOBUF_C_TYPE_SINT32 || type == PROTOBUF_C_TYPE_SINT64) {
        bits = bits >> 1 ^ -(bits & 1); /* zigzag */
    }
    uint32_t narrow = (uint32_t)bits;
    bool is_wide    = wire_number_size(type) == sizeof bits;
    memcpy(member, is_wide ? (const void *)&bits : &narrow, is_wide ? sizeof bits : sizeof narrow);
    return STATUS_OK;
}

static status read_string(struct unpacker *unpacker, const struct target *target,
                          const ProtobufCFieldDescriptor *field, void *member)
{
    str text = {};
    TRY(read_sized(unpacker, target, &text));
    if (text.len > 0 && memchr(text.ptr, 0, text.len)) {
        return fail(unpacker->reterr, STATUS_INVALID_ARGUMENT, "%s: NUL in a string", field->name);
    }
    if (utf8_valid_prefix(text) != text.len) {
        return fail(unpacker->reterr, STATUS_INVALID_ARGUMENT, "%s: not UTF-8", field->name);
    }
    if (text.len >= unpacker->left) return out_of_room(unpacker, target);
    unpacker->left -= text.len + 1;
    const char *copy = arena_strdup(unpacker->arena, text);
    if (!copy) return out_of_room(unpacker, target);
    memcpy(member, &copy, sizeof copy);
    return STATUS_OK;
}

static status read_bytes(struct unpacker *unpacker, const struct target *target, void *member)
{
    str data = {};
    TRY(read_sized(unpacker, target, &data));
    ProtobufCBinaryData copy = {.len = data.len};
    if (data.len > 0) {
        copy.data = take(unpacker, data.len);
        if (!copy.data) return out_of_room(unpacker, target);
        memcpy(copy.data, data.ptr, data.len);
    }
    memcpy(member, &copy, sizeof copy);
    return STATUS_OK;
}

static status read_fields(struct unpacker *unpacker, struct target *target);

/* One that is there already gets more of itself. */
static status read_message(struct unpacker *unpacker, const struct target *target,
                           const ProtobufCFieldDescriptor *field, void *member)
{
    str data = {};
    TRY(read_sized(unpacker, target, &data));
    if (unpacker->depth + 1 == WIRE_DEPTH_MAX) {
        return malformed(unpacker, target, "nested too deep");
    }
    struct target inner = {.type = field->descriptor, .end = unpacker->at};
    memcpy(&inner.message, member, sizeof inner.message);
    if (!inner.message || inner.message == field->default_value) {
        inner.message = take(unpacker, inner.type->sizeof_message);
        if (!inner.message) return out_of_room(unpacker, target);
        protobuf_c_message_init(inner.type, inner.message);
        memcpy(member, &inner.message, sizeof inner.message);
    }
    unpacker->at = (const uint8_t *)data.ptr;
    unpacker->depth++;
    TRY(read_fields(unpacker, &inner));
    unpacker->depth--;
    return STATUS_OK;
}

static status read_value(struct unpacker *unpacker, const struct target *target,
                         const ProtobufCFieldDescriptor *field, void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: return read_string(unpacker, target, field, member);
    case PROTOBUF_C_TYPE_BYTES: return read_bytes(unpacker, target, member);
    case PROTOBUF_C_TYPE_MESSAGE: return read_message(unpacker, target, field, member);
    default: return read_number(unpacker, target, field->type, member);
    }
}

/* --- fields ----------------------------------------------------------------------------------- */

/* Room for so many items at the end of a list, zeroed; it has them then. NULL: there is none. */
static char *list_grow(struct unpacker *unpacker, struct target *target,
                       const ProtobufCFieldDescriptor *field, size_t more)
{
    size_t count = 0;
    char *items  = NULL;
    size_t size  = wire_item_size(field->type);
    memcpy(&count, target->message + field->quantifier_offset, sizeof count);
    memcpy(&items, target->message + field->offset, sizeof(void *));
    size_t capacity = target->list == field ? target->capacity : count;
    if (more > capacity - count) {
        size_t doubled = 2 * capacity < LIST_MIN ? LIST_MIN : 2 * capacity;
        bool is_packed = count == 0 && more > 1; /* that is all of it, mostly */
        capacity       = is_packed || count + more > doubled ? count + more : doubled;
        char *grown    = take(unpacker, capacity * size);
        if (!grown) return NULL;
        if (count > 0) memcpy(grown, items, count * size);
        items = grown;
        memcpy(target->message + field->offset, &items, sizeof(void *));
    }
    target->list     = field;
    target->capacity = capacity;
    char *added      = items + count * size;
    count += more;
    memcpy(target->message + field->quantifier_offset, &count, sizeof count);
    return added;
}

static size_t count_packed(const ProtobufCFieldDescriptor *field, str data)
{
    size_t count = 0;
    if (wire_type_of(field->type) != WIRE_VARINT) return data.len / wire_number_size(field->type);
    for (size_t i = 0; i < data.len; i++) count += !(data.ptr[i] & 0x80);
    return count;
}

static status read_packed(struct unpacker *unpacker, struct target *target,
                          const ProtobufCFieldDescriptor *field)
{
    str data = {};
    TRY(read_sized(unpacker, target, &data));
    const struct target run = {.type = target->type, .end = unpacker->at};
    size_t count            = count_packed(field, data);
    char *items             = count > 0 ? list_grow(unpacker, target, field, count) : NULL;
    if (count > 0 && !items) return out_of_room(unpacker, target);
    unpacker->at = (const uint8_t *)data.ptr;
    for (size_t i = 0; i < count; i++) {
        TRY(read_number(unpacker, &run, field->type, items + i * wire_number_size(field->type)));
    }
    return unpacker->at == run.end ? STATUS_OK : malformed(unpacker, target, "cut off");
}

static status read_item(struct unpacker *unpacker, struct target *target,
                        const ProtobufCFieldDescriptor *field)
{
    char *item = list_grow(unpacker, target, field, 1);
    if (!item) return out_of_room(unpacker, target);
    return read_value(unpacker, target, field, item);
}

static status read_single(struct unpacker *unpacker, const struct target *target,
                          const ProtobufCFieldDescriptor *field)
{
    char *member     = target->message + field->offset;
    char *quantifier = target->message + field->quantifier_offset;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t chosen = 0;
        memcpy(&chosen, quantifier, sizeof chosen);
        if (chosen != field->id) memset(member, 0, wire_item_size(field->type));
        memcpy(quantifier, &field->id, sizeof field->id);
    } else if (field->quantifier_offset != 0) {
        const protobuf_c_boolean is_there = true;
        memcpy(quantifier, &is_there, sizeof is_there);
    }
    return read_value(unpacker, target, field, member);
}

/* Kept as it is spelled, for who passes the message on. */
static status read_unknown(struct unpacker *unpacker, const struct target *target, struct tag tag)
{
    ProtobufCMessage *message = (ProtobufCMessage *)target->message;
    unsigned count            = message->n_unknown_fields;
    const uint8_t *from       = unpacker->at;
    uint64_t ignored;
    str data = {};
    switch (tag.type) {
    case WIRE_VARINT: TRY(read_varint(unpacker, target, &ignored)); break;
    case WIRE_64: TRY(read_little_endian(unpacker, target, 8, &ignored)); break;
    case WIRE_BYTES: TRY(read_sized(unpacker, target, &data)); break;
    case WIRE_32: TRY(read_little_endian(unpacker, target, 4, &ignored)); break;
    default: return malformed(unpacker, target, "unknown kind of value"); /* comes from outside */
    }
    if ((count & (count - 1)) == 0) { /* none, or as many as there is room for */
        size_t room = count > 0 ? 2 * (size_t)count : 1;
        void *grown = take(unpacker, room * sizeof *message->unknown_fields);
        if (!grown) return out_of_room(unpacker, target);
        if (count > 0) {
            memcpy(grown, message->unknown_fields, count * sizeof *message->unknown_fields);
        }
        message->unknown_fields = grown;
    }
    size_t size   = (size_t)(unpacker->at - from);
    uint8_t *copy = take(unpacker, size);
    if (!copy) return out_of_room(unpacker, target);
    memcpy(copy, from, size);
    message->unknown_fields[message->n_unknown_fields++] = (ProtobufCMessageUnknownField){
        .tag = tag.number, .wire_type = (ProtobufCWireType)tag.type, .len = size, .data = copy};
    return STATUS_OK;
}

static const ProtobufCFieldDescriptor *find(struct target *target, uint32_t number)
{
    const ProtobufCMessageDescriptor *type = target->type;
    const ProtobufCFieldDescriptor *field  = &type->fields[target->next];
    bool is_next                           = target->next < type->n_fields && field->id == number;
    if (!is_next) field = protobuf_c_message_descriptor_get_field(type, number);
    if (!field) return NULL;
    unsigned index = (unsigned)(field - type->fields);
    target->next   = field->label == PROTOBUF_C_LABEL_REPEATED ? index : index + 1;
    return field;
}

static status read_field(struct unpacker *unpacker, struct target *target)
{
    struct tag tag;
    TRY(read_tag(unpacker, target, &tag));
    const ProtobufCFieldDescriptor *field = find(target, tag.number);
    if (!field) return read_unknown(unpacker, target, tag);
    enum wire_type expected = wire_type_of(field->type);
    bool is_list            = field->label == PROTOBUF_C_LABEL_REPEATED;
    if (tag.type == expected) {
        return is_list ? read_item(unpacker, target, field) : read_single(unpacker, target, field);
    }
    if (is_list && tag.type == WIRE_BYTES) return read_packed(unpacker, target, field);
    return malformed(unpacker, target, "a value of another type");
}

static status read_fields(struct unpacker *unpacker, struct target *target)
{
    while (unpacker->at != target->end) TRY(read_field(unpacker, target));
    return STATUS_OK;
}

status wire_unpack(const ProtobufCMessageDescriptor *type, bytes data, struct arena *arena,
                   void **ret_message, struct error *reterr)
{
    struct unpacker unpacker = {.start  = data.ptr,
                                .at     = data.ptr,
                                .arena  = arena,
                                .left   = data.len * WIRE_MEMORY_FACTOR + WIRE_MEMORY_BASE,
                                .reterr = reterr};
    struct target target     = {.type = type, .message = take(&unpacker, type->sizeof_message)};
    if (!target.message) return out_of_room(&unpacker, &target);
    target.end = unpacker.at + data.len;
    protobuf_c_message_init(type, target.message);
    TRY(read_fields(&unpacker, &target));
    *ret_message = target.message;
    return STATUS_OK;
}
