/* What wire_pack() writes is what protobuf-c writes, byte by byte, for all messages that there are,
 * and for all kinds of fields, filled by chance; and wire_unpack() has it back. */
#include "cmocka.h"

#include "base/arena.h"
#include "base/random.h"
#include "echo.pb-c.h"
#include "message_types.h"
#include "presence.pb-c.h"
#include "rpc/wire.h"

#include <stdlib.h>

enum {
    ROUNDS      = 400, /* of messages with all kinds of fields */
    ROUNDS_EACH = 40,  /* of every other one */
    DEPTH_MAX   = 4,
    ITEMS_MAX   = 4,
    TEXT_MAX    = 400,
    ARENA_MAX   = 64 << 20,
};

struct filler {
    struct prng random;
    struct arena *arena;
};

static uint64_t below(struct filler *filler, uint64_t limit)
{
    return prng_next(&filler->random) % limit;
}

static void *room(struct filler *filler, size_t size)
{
    void *memory = arena_alloc(filler->arena, size > 0 ? size : 1);
    assert_non_null(memory);
    return memory;
}

static char *text_new(struct filler *filler)
{
    size_t size = below(filler, 3) ? below(filler, 20) : below(filler, TEXT_MAX);
    char *text  = room(filler, size + 1);
    for (size_t i = 0; i < size; i++) text[i] = (char)('a' + below(filler, 26));
    text[size] = '\0';
    return text;
}

/* Small, large, negative, and none. */
static uint64_t number_new(struct filler *filler)
{
    uint64_t number = prng_next(&filler->random) >> below(filler, 64);
    return below(filler, 4) ? number : -number;
}

static ProtobufCMessage *message_new(struct filler *filler, const ProtobufCMessageDescriptor *type,
                                     unsigned depth);

static size_t value_fill(struct filler *filler, const ProtobufCFieldDescriptor *field, char *at,
                         unsigned depth)
{
    ProtobufCBinaryData data = {};
    const void *pointer      = NULL;
    uint64_t number          = number_new(filler);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        pointer = text_new(filler);
        memcpy(at, &pointer, sizeof pointer);
        return sizeof pointer;
    case PROTOBUF_C_TYPE_MESSAGE:
        pointer = message_new(filler, field->descriptor, depth + 1);
        memcpy(at, &pointer, sizeof pointer);
        return sizeof pointer;
    case PROTOBUF_C_TYPE_BYTES:
        data.data = (uint8_t *)text_new(filler);
        data.len  = strlen((char *)data.data);
        if (data.len == 0) data.data = NULL;
        memcpy(at, &data, sizeof data);
        return sizeof data;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: memcpy(at, &number, sizeof number); return sizeof number;
    case PROTOBUF_C_TYPE_BOOL: number &= 1; break;
    default: break;
    }
    uint32_t narrow = (uint32_t)number;
    memcpy(at, &narrow, sizeof narrow);
    return sizeof narrow;
}

static void list_fill(struct filler *filler, const ProtobufCFieldDescriptor *field, char *message,
                      unsigned depth)
{
    size_t count = below(filler, ITEMS_MAX) * (field->type == PROTOBUF_C_TYPE_MESSAGE ? 1 : 20);
    char *items  = room(filler, count * sizeof(ProtobufCBinaryData));
    size_t size  = 0;
    for (size_t i = 0; i < count; i++) size += value_fill(filler, field, items + size, depth);
    memcpy(message + field->quantifier_offset, &count, sizeof count);
    memcpy(message + field->offset, &items, sizeof(void *));
}

static void field_fill(struct filler *filler, const ProtobufCFieldDescriptor *field, char *message,
                       unsigned depth)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        list_fill(filler, field, message, depth);
        return;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memcpy(message + field->quantifier_offset, &field->id, sizeof field->id);
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset != 0) {
        protobuf_c_boolean is_there = below(filler, 2) == 0; /* one that is not may have a value */
        memcpy(message + field->quantifier_offset, &is_there, sizeof is_there);
        if (below(filler, 2) == 0) return; /* there, and 0 or what it is by default */
    }
    (void)value_fill(filler, field, message + field->offset, depth);
}

static ProtobufCMessage *message_new(struct filler *filler, const ProtobufCMessageDescriptor *type,
                                     unsigned depth)
{
    ProtobufCMessage *message = room(filler, type->sizeof_message);
    protobuf_c_message_init(type, message);
    uint64_t often = 1 + below(filler, 5); /* nearly full, nearly empty */
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool is_deep = depth == DEPTH_MAX && field->type == PROTOBUF_C_TYPE_MESSAGE;
        if (!is_deep && below(filler, often) == 0) {
            field_fill(filler, field, (char *)message, depth);
        }
    }
    return message;
}

static const ProtobufCMessageDescriptor *const kinds[] = {
    &test__numbers__descriptor, &test__every__descriptor, &test__presence__descriptor};

static void check_pack(struct filler *filler, const ProtobufCMessageDescriptor *type)
{
    filler->arena             = arena_new(ARENA_MAX);
    ProtobufCMessage *message = message_new(filler, type, 0);
    size_t size               = protobuf_c_message_get_packed_size(message);
    uint8_t *expected         = malloc(size + 1);
    uint8_t *packed           = malloc(size + 1); /* as large as it may be: a byte more is seen */
    assert_int_equal(protobuf_c_message_pack(message, expected), size);
    if (wire_pack(message, packed, size) != size || memcmp(packed, expected, size) != 0) {
        fail_msg("%s is packed in another way", type->name);
    }
    void *back = NULL;
    assert_int_equal(wire_unpack(type, (bytes){packed, size}, filler->arena, &back, NULL),
                     STATUS_OK);
    if (protobuf_c_message_get_packed_size(back) != size ||
        protobuf_c_message_pack(back, expected) != size || memcmp(packed, expected, size) != 0) {
        fail_msg("%s is another one when it is read", type->name);
    }
    free(packed);
    free(expected);
    arena_free(filler->arena);
}

static void it_writes_what_protobuf_c_writes(void **)
{
    struct filler filler = {.random = {.state = 20'261'123}};
    for (size_t i = 0; i < ROUNDS * ARRAY_LEN(kinds); i++) {
        check_pack(&filler, kinds[i % ARRAY_LEN(kinds)]);
    }
    for (size_t i = 0; i < ROUNDS_EACH * ARRAY_LEN(message_types); i++) {
        check_pack(&filler, message_types[i % ARRAY_LEN(message_types)]);
    }
}

static void it_does_not_write_beyond_its_room(void **)
{
    struct filler filler = {.random = {.state = 7}, .arena = arena_new(ARENA_MAX)};
    for (size_t i = 0; i < 8 * ARRAY_LEN(kinds); i++) {
        const ProtobufCMessage *message = message_new(&filler, kinds[i % ARRAY_LEN(kinds)], 1);
        size_t size                     = protobuf_c_message_get_packed_size(message);
        for (size_t less = 0; less < size && less < 3'000; less++) {
            uint8_t *packed = malloc(less > 0 ? less : 1);
            assert_true(wire_pack(message, packed, less) == WIRE_PACK_FULL);
            free(packed);
        }
    }
    arena_free(filler.arena);
}

/* The same bytes, also of what does not fit on a stack and of what is not there. */
static void a_body_is_packed_whatever_its_size(void **)
{
    struct filler filler  = {.random = {.state = 11}, .arena = arena_new(ARENA_MAX)};
    Test__Every every     = TEST__EVERY__INIT;
    Test__Saying saying   = TEST__SAYING__INIT;
    Test__Saying *items[] = {&saying, &saying, &saying};
    every.sayings         = items;
    every.n_sayings       = ARRAY_LEN(items);
    struct wire_body body;
    for (size_t size = 1; size < 1'000'000; size = 3 * size + 100) {
        saying.data     = (ProtobufCBinaryData){.data = room(&filler, size), .len = size};
        size_t packed   = protobuf_c_message_get_packed_size(&every.base);
        uint8_t *expect = malloc(packed);
        assert_int_equal(protobuf_c_message_pack(&every.base, expect), packed);
        wire_body_begin(&body, &every.base);
        assert_int_equal(body.packed.len, packed);
        assert_memory_equal(body.packed.ptr, expect, packed);
        wire_body_done(&body);
        free(expect);
    }
    wire_body_begin(&body, NULL);
    assert_int_equal(body.packed.len, 0);
    wire_body_done(&body);
    arena_free(filler.arena);
}

static void what_was_not_understood_is_passed_on(void **)
{
    static const uint8_t later[] = "\x0a\x02hi\xfa\x01\x02\xff\x00\xf8\x01\x07";
    struct arena *arena          = arena_new(1 << 20);
    void *message                = NULL;
    uint8_t packed[32];
    assert_int_equal(wire_unpack(&test__saying__descriptor, (bytes){later, sizeof later - 1}, arena,
                                 &message, NULL),
                     STATUS_OK);
    assert_int_equal(wire_pack(message, packed, sizeof packed), sizeof later - 1);
    assert_memory_equal(packed, later, sizeof later - 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_writes_what_protobuf_c_writes),
        cmocka_unit_test(it_does_not_write_beyond_its_room),
        cmocka_unit_test(a_body_is_packed_whatever_its_size),
        cmocka_unit_test(what_was_not_understood_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
