/* Runs that have ended leave one scheduler as a message and come into another one. */
#include "cmocka.h"

#include "scheduler/tables/record.h"
#include "support/scheduler/rig_rows.h"

#include <stdio.h>
#include <stdlib.h>

enum { BIG_SIZE = 3'000, COPY_MAX = 16 << 20 /* bytes */ };

/* The answer's message, so that it can be changed. Lives as long as `arena`. */
static Pb__KeptRun *copy_of(const Pb__KeptRun *kept, struct arena *arena)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    size_t size                  = pb__kept_run__get_packed_size(kept);
    uint8_t *packed              = arena_alloc(arena, size + 1);
    assert_non_null(packed);
    size              = pb__kept_run__pack(kept, packed);
    Pb__KeptRun *copy = pb__kept_run__unpack(&allocator, size, packed);
    assert_non_null(copy);
    copy->id = text_in(arena, str_from(copy->id));
    return copy;
}

static const Pb__KeptRun *export_run(struct rig *rig, const char *run, status expected,
                                     const char *code)
{
    Pb__ExportRun message       = PB__EXPORT_RUN__INIT;
    message.id                  = run;
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Export",
                                   .message   = &message,
                                   .partition = id_partition(str_from(run)),
                                   .expected  = expected,
                                   .code      = code};
    return rig_ask(rig, &asked);
}

static const Pb__ImportedRun *import_as(struct rig *rig, const Pb__KeptRun *kept,
                                        const char *namespace, status expected, const char *code)
{
    Pb__ImportRun message       = PB__IMPORT_RUN__INIT;
    message.kept                = (Pb__KeptRun *)(uintptr_t)kept;
    message.namespace_          = namespace;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Import",
                                   .message  = &message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

static const Pb__ImportedRun *import_run(struct rig *rig, const Pb__KeptRun *kept, status expected,
                                         const char *code)
{
    return import_as(rig, kept, "", expected, code);
}

static void assert_same(const Pb__KeptRun *one, const Pb__KeptRun *other)
{
    size_t size = pb__kept_run__get_packed_size(one);
    assert_int_equal(size, pb__kept_run__get_packed_size(other));
    uint8_t *a = malloc(size + 1);
    uint8_t *b = malloc(size + 1);
    assert_true(a && b);
    (void)pb__kept_run__pack(one, a);
    (void)pb__kept_run__pack(other, b);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

static const char *big_input(char out[static BIG_SIZE + 64], char fill)
{
    int len = snprintf(out, 64, "{\"text\":\"");
    memset(out + len, fill, BIG_SIZE);
    (void)snprintf(out + len + BIG_SIZE, 16, "\"}");
    return out;
}

/* A run with payloads, a snapshot and labels that has ended. */
static const char *make_run(struct rig *rig, const char *client_id)
{
    char input[BIG_SIZE + 64];
    Pb__Label label      = PB__LABEL__INIT;
    Pb__Label *labels[]  = {&label};
    Pb__StartRun message = PB__START_RUN__INIT;
    rig_put(
        rig, "long",
        "  - grow: {for: {each: i, in: '${[range(20)]}'}, do: [{w: {wait: {milliseconds: 1}}},\n"
        "      {s: {set: {big: '${$workflow.input.text + ($i | tostring)}'}}}]}\n");
    big_input(input, 'x');
    label.key           = "team";
    label.value         = "red";
    message.workflow    = "long";
    message.client_id   = client_id;
    message.labels      = labels;
    message.n_labels    = 1;
    message.input_json  = (ProtobufCBinaryData){.data = (uint8_t *)input, .len = strlen(input)};
    message.on_conflict = PB__ON_CONFLICT__ON_CONFLICT_TERMINATE;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Start", .message = &message};
    const Pb__StartedRun *started = rig_ask(rig, &asked);
    rig_wait_for(rig, started->run->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    return started->run->id;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_there_and_back(void **)
{
    struct rig here  = {};
    struct rig there = {};
    rig_init(&here, 1, true);
    rig_init(&there, 1, true);
    const char *run         = make_run(&here, "mine");
    const Pb__KeptRun *kept = export_run(&here, run, STATUS_OK, NULL);
    assert_true(kept->n_payloads > 1);

    assert_true(import_run(&there, kept, STATUS_OK, NULL)->created);
    assert_false(import_run(&there, kept, STATUS_OK, NULL)->created);
    rig_restart(&there);
    assert_false(import_run(&there, kept, STATUS_OK, NULL)->created);
    assert_same(kept, export_run(&there, run, STATUS_OK, NULL));
    assert_int_equal(rig_count_rows(&there, TABLE_SNAPSHOTS), 1);
    assert_int_equal(rig_count_rows(&there, TABLE_RUNS), 1);

    const Pb__RunView *was = rig_get(&here, run);
    const Pb__RunView *is  = rig_get(&there, "mine");
    assert_string_equal(is->id, run);
    assert_int_equal(is->last_sequence, was->last_sequence);
    assert_int_equal(is->ended_us, was->ended_us);
    assert_int_equal(is->created_us, was->created_us);
    assert_string_equal(is->labels[0]->value, "red");
    assert_int_equal(is->output_json.len, was->output_json.len);
    assert_memory_equal(is->output_json.data, was->output_json.data, was->output_json.len);
    rig_done(&here);
    rig_done(&there);
}

/* What was brought in goes as whole as what was made here. */
static void test_deleted_again(void **)
{
    static const enum table tables[] = {TABLE_JOURNAL,  TABLE_RUNS,       TABLE_SNAPSHOTS,
                                        TABLE_PAYLOADS, TABLE_CLIENT_IDS, TABLE_RUN_INDEX};
    struct rig here                  = {};
    struct rig there                 = {};
    rig_init(&here, 1, true);
    rig_init(&there, 1, true);
    const char *run         = make_run(&here, "mine");
    const Pb__KeptRun *kept = export_run(&here, run, STATUS_OK, NULL);
    (void)make_run(&there, ""); /* numbers are in use there */
    uint64_t before[ARRAY_LEN(tables)];
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) before[i] = rig_count_rows(&there, tables[i]);
    (void)import_run(&there, kept, STATUS_OK, NULL);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        assert_true(rig_count_rows(&there, tables[i]) > before[i]);
    }
    Pb__DeleteRun message       = PB__DELETE_RUN__INIT;
    message.id                  = "mine";
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Delete", .message = &message};
    (void)rig_ask(&there, &asked);
    while (rig_count_rows(&there, TABLE_DELETIONS) > 0) rig_pause();
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        assert_int_equal(rig_count_rows(&there, tables[i]), before[i]);
    }
    assert_true(import_run(&there, kept, STATUS_OK, NULL)->created); /* and may come again */
    rig_done(&here);
    rig_done(&there);
}

static void test_what_has_not_ended(void **)
{
    struct rig here  = {};
    struct rig there = {};
    rig_init(&here, 1, false);
    rig_init(&there, 1, false);
    rig_put(&here, "job", "  - j: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    const char *open = rig_start(&here, "job", "{}")->run->id;
    (void)export_run(&here, open, STATUS_FAILED_PRECONDITION, "run_not_finished");
    (void)export_run(&here, "01ARZ3NDEK00000000000G5FAV", STATUS_NOT_FOUND, "not_found");
    CLEANUP(arena_freep) struct arena *arena = arena_new(COPY_MAX);
    const char *run                          = make_run(&here, "");
    Pb__KeptRun *cut = copy_of(export_run(&here, run, STATUS_OK, NULL), arena);
    cut->n_entries -= 1;
    (void)import_run(&there, cut, STATUS_FAILED_PRECONDITION, "run_not_finished");
    rig_done(&here);
    rig_done(&there);
}

/* The newest run of a client id has it, whatever comes first; and one that goes on keeps it. */
static void test_client_ids(void **)
{
    struct rig here  = {};
    struct rig there = {};
    rig_init(&here, 1, false);
    rig_init(&there, 1, false);
    const char *older = make_run(&here, "mine");
    const char *newer = make_run(&here, "mine");
    (void)import_run(&there, export_run(&here, newer, STATUS_OK, NULL), STATUS_OK, NULL);
    (void)import_run(&there, export_run(&here, older, STATUS_OK, NULL), STATUS_OK, NULL);
    assert_string_equal(rig_get(&there, "mine")->id, newer);
    (void)import_as(&there, export_run(&here, older, STATUS_OK, NULL), "other",
                    STATUS_INVALID_ARGUMENT, "namespace_mismatch");
    rig_done(&here);
    rig_done(&there);
}

static void test_partitions(void **)
{
    struct rig three = {};
    struct rig one   = {};
    rig_init(&three, 3, false);
    rig_init(&one, 1, false);
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    unsigned refused               = 0;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const char *run         = make_run(&three, ids[i]);
        const Pb__KeptRun *kept = export_run(&three, run, STATUS_OK, NULL);
        bool is_first           = id_partition(str_from(run)) == 0;
        (void)import_run(&one, kept, is_first ? STATUS_OK : STATUS_INVALID_ARGUMENT,
                         is_first ? NULL : "run_invalid");
        refused += !is_first;
        assert_false(import_run(&three, kept, STATUS_OK, NULL)->created);
    }
    assert_in_range(refused, 1, ARRAY_LEN(ids) - 1);
    rig_done(&three);
    rig_done(&one);
}

/* Changes one thing. */
static void damage(Pb__KeptRun *kept, unsigned how)
{
    ProtobufCBinaryData *first = &kept->entries[0];
    switch (how) {
    case 0: kept->id = "x"; break;
    case 1: kept->row.len -= 3; break;
    case 2: kept->row.len = 0; break;
    case 3: kept->id = "01ARZ3NDEK00000000000G5FAV"; break;
    case 4: kept->definition.len -= 2; break;
    case 5: memset(kept->definition.data, ' ', kept->definition.len); break;
    case 6: kept->n_entries = 0; break;
    case 7: first->data[3] ^= 1; break;
    case 8: first->len -= 1; break;
    case 9: *first = kept->entries[1]; break;
    case 10: kept->n_payloads -= 1; break;
    case 11: kept->payloads[0].data[9] ^= 1; break;
    case 12: kept->payloads[0].data[0] = 'x'; break;
    default: fail_msg("kind %u", how);
    }
}

static void test_damage(void **)
{
    enum { KINDS = 13 };
    struct rig here  = {};
    struct rig there = {};
    rig_init(&here, 1, false);
    rig_init(&there, 1, false);
    const Pb__KeptRun *kept = export_run(&here, make_run(&here, ""), STATUS_OK, NULL);
    size_t entries          = kept->n_entries;
    for (unsigned i = 0; i < KINDS; i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(COPY_MAX);
        Pb__KeptRun *copy                        = copy_of(kept, arena);
        damage(copy, i);
        bool is_empty = i == 6; /* then nothing says that it has ended */
        (void)import_run(&there, copy,
                         is_empty ? STATUS_FAILED_PRECONDITION : STATUS_INVALID_ARGUMENT,
                         is_empty ? "run_not_finished" : "run_invalid");
    }
    assert_int_equal(kept->n_entries, entries);
    assert_int_equal(rig_count_rows(&there, TABLE_RUNS), 0);
    assert_int_equal(rig_count_rows(&there, TABLE_JOURNAL), 0);
    assert_int_equal(rig_count_rows(&there, TABLE_PAYLOADS), 0);
    assert_true(import_run(&there, kept, STATUS_OK, NULL)->created);
    rig_done(&here);
    rig_done(&there);
}

/* One that does not fit a line stays where it is. */
static void test_too_large(void **)
{
    struct rig here = {};
    rig_init(&here, 1, false);
    rig_put(&here, "large",
            "  - grow: {for: {each: i, in: '${[range(13)]}'}, do: [{s: {set: {big: '${\"x\" * "
            "1000000 + ($i | tostring)}'}}}]}\n");
    const char *run = rig_start(&here, "large", "{}")->run->id;
    rig_wait_for(&here, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    (void)export_run(&here, run, STATUS_RESOURCE_EXHAUSTED, "body_too_large");
    rig_done(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_large),     cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_deleted_again), cmocka_unit_test(test_what_has_not_ended),
        cmocka_unit_test(test_client_ids),    cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
