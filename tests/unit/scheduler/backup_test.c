/* Backups of a whole scheduler: what is in them, what they refuse, what a proof finds. */
#include "cmocka.h"

#include "scheduler/backups/restore.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/tables.h"
#include "support/folder.h"
#include "support/scheduler/rig.h"

#include <stdio.h>
#include <unistd.h>

enum { PARTITIONS = 3, RUNS = 20, PATH_BYTES_MAX = 512 };

static const char tasks[] = "  - a: {set: {n: 1}}\n"
                            "  - b: {wait: {hours: 1}}\n";

struct fixture {
    struct rig rig;
    struct folder folder;
};

static void begin(struct fixture *f, bool is_durable)
{
    f->folder            = folder_new();
    f->rig.backup_folder = f->folder.path;
    rig_init(&f->rig, PARTITIONS, is_durable);
    rig_put(&f->rig, "flow", tasks);
    for (int i = 0; i < RUNS; i++) (void)rig_start(&f->rig, "flow", "{}");
}

static void end(struct fixture *f)
{
    rig_done(&f->rig);
    folder_remove(&f->folder);
}

static const Pb__BackupView *ask_for(struct fixture *f, const char *name, status expected,
                                     const char *code)
{
    Pb__BeginBackup message     = PB__BEGIN_BACKUP__INIT;
    message.name                = name;
    const struct question asked = {.service  = &pb__system__descriptor,
                                   .method   = "CreateBackup",
                                   .message  = &message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(&f->rig, &asked);
}

static const Pb__BackupView *when_over(struct fixture *f, const char *name)
{
    for (;;) {
        Pb__ListBackups message     = PB__LIST_BACKUPS__INIT;
        message.name                = name;
        const struct question asked = {
            .service = &pb__system__descriptor, .method = "Backups", .message = &message};
        const Pb__BackupList *list = rig_ask(&f->rig, &asked);
        assert_int_equal(list->n_backups, 1);
        if (list->backups[0]->state != PB__BACKUP_STATE__BACKUP_STATE_RUNNING) {
            return list->backups[0];
        }
        rig_forget(&f->rig);
        rig_pause();
    }
}

static void count_fault(const char *text, void *context)
{
    (void)text;
    (*(size_t *)context)++;
}

static void a_backup_holds_what_was_acknowledged(void **state)
{
    (void)state;
    struct fixture f = {};
    begin(&f, true);
    (void)ask_for(&f, "first", STATUS_OK, NULL);
    const Pb__BackupView *made = when_over(&f, "first");
    assert_string_equal(made->failure, "");
    assert_int_equal(made->state, PB__BACKUP_STATE__BACKUP_STATE_COMPLETED);
    assert_int_equal(made->partitions, PARTITIONS);
    assert_true(made->size_bytes > 0);
    (void)ask_for(&f, "first", STATUS_ALREADY_EXISTS, "already_exists");
    (void)ask_for(&f, "First", STATUS_INVALID_ARGUMENT, "invalid_request");
    (void)ask_for(&f, "a/b", STATUS_INVALID_ARGUMENT, "invalid_request");
    (void)ask_for(&f, "-a", STATUS_INVALID_ARGUMENT, "invalid_request");

    const struct folder cut = folder_sub(&f.folder, "cut.partial");
    assert_int_equal(when_over(&f, "cut")->state, PB__BACKUP_STATE__BACKUP_STATE_FAILED);
    assert_int_equal(rmdir(cut.path), 0);

    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    struct proof proof                                              = {};
    size_t faults                                                   = 0;
    struct error error                                              = {};
    const struct folder first = folder_join(&f.folder, "first");
    status verified = backup_verify(first.path, count_fault, &faults, manifest, &proof, &error);
    assert_int_equal(verified, STATUS_OK);
    assert_int_equal(faults, 0);
    assert_int_equal(proof.runs, RUNS);
    assert_int_equal(proof.timers, RUNS);
    assert_string_equal(manifest->name, "first");
    assert_int_equal(manifest->count, PARTITIONS);
    end(&f);
}

static void what_cannot_be_copied_is_refused(void **state)
{
    (void)state;
    struct fixture f = {};
    begin(&f, false);
    (void)ask_for(&f, "memory", STATUS_OK, NULL);
    const Pb__BackupView *failed = when_over(&f, "memory");
    assert_int_equal(failed->state, PB__BACKUP_STATE__BACKUP_STATE_FAILED);
    assert_non_null(strstr(failed->failure, "memory"));
    const struct folder partial = folder_join(&f.folder, "memory.partial");
    assert_int_equal(access(partial.path, F_OK), -1);
    assert_true(rig_start(&f.rig, "flow", "{}") != NULL); /* the engines go on */
    end(&f);

    struct rig rig = {};
    rig_init(&rig, 1, false);
    Pb__BeginBackup message     = PB__BEGIN_BACKUP__INIT;
    const struct question asked = {.service  = &pb__system__descriptor,
                                   .method   = "CreateBackup",
                                   .message  = &message,
                                   .expected = STATUS_FAILED_PRECONDITION};
    (void)rig_ask(&rig, &asked);
    rig_done(&rig);
}

/* --- restoring ---------------------------------------------------------------------------------
 */

static status restore(const char *folder, const char *data, struct backup_manifest *manifest,
                      struct error *reterr)
{
    const struct restore_order order = {.folder = folder, .data = data, .until_us = INT64_MAX};
    struct restored restored         = {};
    return backup_restore(&order, manifest, &restored, reterr);
}

static void restored_data_has_the_next_epoch(void **state)
{
    (void)state;
    struct fixture f = {};
    begin(&f, true);
    (void)ask_for(&f, "first", STATUS_OK, NULL);
    (void)when_over(&f, "first");
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    const struct folder first = folder_join(&f.folder, "first");
    const struct folder data  = folder_join(&f.folder, "data");
    struct error error        = {};
    status restored           = restore(first.path, data.path, manifest, &error);
    assert_int_equal(restored, STATUS_OK);
    assert_int_equal(restore(first.path, data.path, manifest, &error), STATUS_ALREADY_EXISTS);
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        const struct partition_options options = {
            .folder = data.path, .map_size = 64 << 20, .index = i, .count = PARTITIONS};
        struct partition *partition = NULL;
        assert_int_equal(partition_open(&options, &partition, &error), STATUS_OK);
        assert_int_equal(partition->epoch, 2);
        partition_close(partition);
    }
    end(&f);
}

/* The next try finds its place free. */
static void a_restore_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f = {};
    begin(&f, true);
    (void)ask_for(&f, "first", STATUS_OK, NULL);
    (void)when_over(&f, "first");
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    const struct folder first = folder_join(&f.folder, "first");
    const struct folder data  = folder_join(&f.folder, "data");
    struct error error        = {};
    char path[PATH_BYTES_MAX];
    assert_int_equal(restore(first.path, "", manifest, &error), STATUS_INVALID_ARGUMENT);
    (void)snprintf(path, sizeof path, "%s/p1/data.mdb", first.path);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_not_equal(restore(first.path, data.path, manifest, &error), STATUS_OK);
    (void)snprintf(path, sizeof path, "%s.restoring", data.path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(data.path, F_OK), 0);
    end(&f);
}

/* --- the proof finds ---------------------------------------------------------------------------
 */

static size_t faults_of(struct store *store)
{
    struct proof proof = {};
    size_t faults      = 0;
    assert_int_equal(proof_of_store(store, count_fault, &faults, &proof, NULL), STATUS_OK);
    assert_int_equal(faults, proof.faults);
    return faults;
}

/* Deletes the first row of a table. */
static void take_row(struct store *store, enum table table)
{
    const struct scan all = {};
    struct txn *txn       = NULL;
    struct cursor *cursor = NULL;
    bytes key             = {};
    bytes value           = {};
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, table, &all, &cursor, NULL), STATUS_OK);
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_OK);
    assert_int_equal(cursor_delete(cursor, NULL), STATUS_OK);
    cursor_close(cursor);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

static void a_missing_row_is_found(void **state)
{
    (void)state;
    static const enum table losses[] = {TABLE_TIMERS, TABLE_RUNS, TABLE_JOURNAL, TABLE_RUN_HEADS};
    for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
        struct rig rig = {};
        rig_init(&rig, 1, true);
        rig_put(&rig, "flow", tasks);
        (void)rig_start(&rig, "flow", "{}");
        char folder[PATH_BYTES_MAX];
        (void)snprintf(folder, sizeof folder, "%s", rig.folder);
        rig_stop(&rig);

        const struct partition_options options = {
            .folder = folder, .map_size = 64 << 20, .index = 0, .count = 1};
        struct partition *partition = NULL;
        assert_int_equal(partition_open(&options, &partition, NULL), STATUS_OK);
        assert_int_equal(faults_of(partition->store), 0);
        take_row(partition->store, losses[i]);
        assert_true(faults_of(partition->store) > 0);
        partition_close(partition);
        rig_resume(&rig);
        rig_done(&rig);
    }
}

/* --- manifests ---------------------------------------------------------------------------------
 */

static status read_text(const struct folder *folder, const char *text)
{
    const struct folder path = folder_join(folder, "manifest.json");
    FILE *file               = fopen(path.path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    return backup_manifest_read(folder->path, manifest, NULL);
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PART(index)                                                                                \
    "{\"partition\":" index ",\"epoch\":1,\"size_bytes\":1,\"sha256\":\"" DIGEST "\"}"
#define MANIFEST(format, count, parts)                                                             \
    "{\"format\":" format ",\"name\":\"a\",\"version\":\"1\",\"created_us\":1,"                    \
    "\"partition_count\":" count ",\"partitions\":[" parts "]}"

static void a_damaged_manifest_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        status expected;
    } cases[] = {
        {MANIFEST("1", "2", PART("0") "," PART("1")), STATUS_OK},
        {MANIFEST("2", "2", PART("0")), STATUS_FAILED_PRECONDITION},
        {"", STATUS_DATA_LOSS},
        {"[]", STATUS_DATA_LOSS},
        {"{\"format\":1}", STATUS_DATA_LOSS},
        {MANIFEST("1", "2", ""), STATUS_DATA_LOSS},
        {MANIFEST("1", "1", PART("0") "," PART("1")), STATUS_DATA_LOSS},
        {MANIFEST("1", "2", PART("1") "," PART("0")), STATUS_DATA_LOSS},
        {MANIFEST("1", "2", PART("0") "," PART("0")), STATUS_DATA_LOSS},
        {MANIFEST("1", "2", PART("-1")), STATUS_DATA_LOSS},
        {MANIFEST("1", "99999", PART("0")), STATUS_DATA_LOSS},
        {MANIFEST("1", "2", "{\"partition\":0,\"epoch\":1,\"size_bytes\":1,\"sha256\":\"00\"}"),
         STATUS_DATA_LOSS},
    };
    struct folder folder = folder_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(read_text(&folder, cases[i].text), cases[i].expected);
    }
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    assert_int_equal(backup_manifest_read("/nonexistent", manifest, NULL), STATUS_NOT_FOUND);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_holds_what_was_acknowledged),
        cmocka_unit_test(what_cannot_be_copied_is_refused),
        cmocka_unit_test(restored_data_has_the_next_epoch),
        cmocka_unit_test(a_restore_that_fails_leaves_nothing),
        cmocka_unit_test(a_missing_row_is_found),
        cmocka_unit_test(a_damaged_manifest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
