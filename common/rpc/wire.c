#include "rpc/wire.h"

#include "base/utf8.h"

enum { VARINT_SIZE_MAX = 10, FIELD_NUMBER_MAX = (1 << 29) - 1 };

/* https://protobuf.dev/programming-guides/encoding/#structure; groups (3, 4) are refused. */
enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct level {
    const ProtobufCMessageDescriptor *type;
    size_t end; /* offset */
};

struct walk {
    const uint8_t *data;
    size_t at;     /* offset of what is read next */
    size_t fields; /* seen so far */
    unsigned depth;
    struct level levels[WIRE_DEPTH_MAX];
    struct error *reterr;
};

static status malformed(struct walk *walk, const char *what)
{
    return fail(walk->reterr, STATUS_INVALID_ARGUMENT, "%s: %s at byte %zu",
                walk->levels[walk->depth].type->short_name, what, walk->at);
}

static status read_varint(struct walk *walk, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t end     = walk->levels[walk->depth].end;
    for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
        if (walk->at == end) return malformed(walk, "cut off");
        uint8_t byte = walk->data[walk->at++];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret_value = value;
            return STATUS_OK;
        }
    }
    return malformed(walk, "integer of more than 10 bytes");
}

static status skip(struct walk *walk, uint64_t size)
{
    if (size > walk->levels[walk->depth].end - walk->at) return malformed(walk, "cut off");
    walk->at += size;
    return STATUS_OK;
}

static enum wire_type type_on_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_32;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM: return WIRE_VARINT;
    }
    return WIRE_VARINT;
}

static status check_string(struct walk *walk, const ProtobufCFieldDescriptor *field, size_t size)
{
    str text = {(const char *)walk->data + walk->at, size};
    if (size > 0 && memchr(text.ptr, 0, size)) {
        return fail(walk->reterr, STATUS_INVALID_ARGUMENT, "%s: NUL in a string", field->name);
    }
    if (utf8_valid_prefix(text) != size) {
        return fail(walk->reterr, STATUS_INVALID_ARGUMENT, "%s: not UTF-8", field->name);
    }
    return STATUS_OK;
}

/* A value with a length: checks strings, enters messages, skips the rest. */
static status walk_sized(struct walk *walk, const ProtobufCFieldDescriptor *field)
{
    uint64_t size;
    TRY(read_varint(walk, &size));
    if (size > walk->levels[walk->depth].end - walk->at) return malformed(walk, "cut off");
    if (field && field->type == PROTOBUF_C_TYPE_STRING) TRY(check_string(walk, field, size));
    if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE) return skip(walk, size);

    if (walk->depth + 1 == WIRE_DEPTH_MAX) return malformed(walk, "nested too deep");
    walk->levels[++walk->depth] = (struct level){field->descriptor, walk->at + size};
    return STATUS_OK;
}

static status walk_field(struct walk *walk)
{
    uint64_t tag;
    TRY(read_varint(walk, &tag));
    uint64_t number     = tag >> 3;
    enum wire_type type = tag & 7;
    if (number < 1 || number > FIELD_NUMBER_MAX) return malformed(walk, "no such field");
    if (++walk->fields > WIRE_FIELDS_MAX) return malformed(walk, "too many fields");

    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(walk->levels[walk->depth].type, (unsigned)number);
    if (field && type != type_on_wire(field->type)) {
        bool is_packed = type == WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED;
        if (!is_packed) return malformed(walk, "a value of another type");
    }
    uint64_t ignored;
    switch (type) {
    case WIRE_VARINT: return read_varint(walk, &ignored);
    case WIRE_64: return skip(walk, 8);
    case WIRE_BYTES: return walk_sized(walk, field);
    case WIRE_32: return skip(walk, 4);
    default: return malformed(walk, "unknown kind of value"); /* comes from outside */
    }
}

status wire_check(const ProtobufCMessageDescriptor *type, bytes data, size_t *ret_fields,
                  struct error *reterr)
{
    struct walk walk = {.data = data.ptr, .levels = {{type, data.len}}, .reterr = reterr};
    for (;;) {
        while (walk.at == walk.levels[walk.depth].end) {
            if (walk.depth == 0) {
                if (ret_fields) *ret_fields = walk.fields;
                return STATUS_OK;
            }
            walk.depth--;
        }
        TRY(walk_field(&walk));
    }
}

struct allowance {
    struct arena *arena;
    size_t left; /* bytes */
};

static void *allowance_alloc(void *context, size_t size)
{
    struct allowance *allowance = context;
    if (size > allowance->left) return NULL;
    allowance->left -= size;
    return arena_alloc(allowance->arena, size);
}

static void allowance_free(void *, void *)
{
    /* The arena is cleared as a whole. */
}

status wire_unpack(const ProtobufCMessageDescriptor *type, bytes data, struct arena *arena,
                   void **ret_message, struct error *reterr)
{
    size_t fields;
    TRY(wire_check(type, data, &fields, reterr));

    struct allowance allowance = {
        .arena = arena,
        .left  = data.len * WIRE_MEMORY_FACTOR + WIRE_MEMORY_BASE + fields * WIRE_MEMORY_PER_FIELD,
    };
    ProtobufCAllocator allocator = {allowance_alloc, allowance_free, &allowance};

    void *message = protobuf_c_message_unpack(type, &allocator, data.len, data.ptr);
    if (!message) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: cannot be unpacked", type->short_name);
    }
    *ret_message = message;
    return STATUS_OK;
}
