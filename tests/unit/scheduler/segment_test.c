#include "scheduler/archive/archive_folder.h"

#include "cmocka.h"

#include "support/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDS = 5, BODY_MAX = 1 << 20, FILE_MAX = 1 << 20 };

static struct segment_head head_of(uint8_t timeline, uint64_t first, size_t count, struct buf *body)
{
    struct segment_head head = {.partition = 3, .epoch = 2};
    for (size_t i = 0; i < count; i++) {
        struct redo_record record = {.sequence = first + i,
                                     .at_us    = (int64_t)(1'000 * (first + i)),
                                     .is_end   = i % 2 == 0,
                                     .part     = {"change", i}};
        memset(record.timeline, timeline, sizeof record.timeline);
        assert_true(segment_add(&head, body, &record));
    }
    return head;
}

static void make(const struct folder *folder, uint8_t timeline, uint64_t first)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct segment_head head          = head_of(timeline, first, RECORDS, &body);
    struct error error                = {};
    if (segment_write(&head, &body, folder->path, &error) != STATUS_OK) fail_msg("%s", error.text);
}

/* The bytes of a segment of RECORDS records. */
static struct buf file_of(const struct folder *folder)
{
    struct buf file                                     = buf_init(FILE_MAX);
    CLEANUP(archive_list_done) struct archive_list list = {};
    make(folder, 7, 10);
    assert_int_equal(archive_list_read(folder->path, NULL, &list, NULL), STATUS_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(archive_file_read(folder->path, list.entries[0].name, &file, NULL), STATUS_OK);
    return file;
}

/* Reads all of it: OK, or why not. */
static status read_all(bytes file, size_t *ret_records, struct error *reterr)
{
    struct segment segment    = {};
    struct redo_record record = {};
    *ret_records              = 0;
    TRY(segment_open(file, "the/file", &segment, reterr));
    for (;;) {
        status next = segment_next(&segment, &record, reterr);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(next);
        ++*ret_records;
    }
}

static void what_is_written_reads_back(void **)
{
    struct folder folder              = folder_new();
    CLEANUP(buf_done) struct buf file = file_of(&folder);
    struct segment segment            = {};
    struct redo_record record         = {};
    assert_int_equal(segment_open(bytes_from(buf_str(&file)), "f", &segment, NULL), STATUS_OK);
    assert_int_equal(segment.head.partition, 3);
    assert_int_equal(segment.head.epoch, 2);
    assert_int_equal(segment.head.first, 10);
    assert_int_equal(segment.head.last, 14);
    assert_int_equal(segment.head.first_us, 10'000);
    assert_int_equal(segment.head.last_us, 14'000);
    for (size_t i = 0; i < RECORDS; i++) {
        assert_int_equal(segment_next(&segment, &record, NULL), STATUS_OK);
        assert_int_equal(record.sequence, 10 + i);
        assert_int_equal(record.at_us, 1'000 * (10 + i));
        assert_int_equal(record.is_end, i % 2 == 0);
        assert_int_equal(record.part.len, i);
        assert_int_equal(record.timeline[0], 7);
        assert_memory_equal(record.part.ptr, "change", i);
    }
    assert_int_equal(segment_next(&segment, &record, NULL), STATUS_NOT_FOUND);
    folder_remove(&folder);
}

/* Every byte, every length: nothing is believed that was not written. */
static void every_damage_is_found(void **)
{
    struct folder folder              = folder_new();
    CLEANUP(buf_done) struct buf file = file_of(&folder);
    struct error error                = {};
    size_t records                    = 0;
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] = (char)(file.ptr[i] ^ 0x10);
        status read = read_all(bytes_from(buf_str(&file)), &records, &error);
        if (read == STATUS_OK) fail_msg("byte %zu", i);
        if (read != STATUS_FAILED_PRECONDITION) {
            assert_int_equal(read, STATUS_DATA_LOSS);
            assert_non_null(strstr(error.text, "the/file: damaged at byte "));
        }
        file.ptr[i] = (char)(file.ptr[i] ^ 0x10);
    }
    for (size_t len = 0; len < file.len; len++) {
        bytes cut = {file.ptr, len};
        assert_int_equal(read_all(cut, &records, &error), STATUS_DATA_LOSS);
        assert_true(records < RECORDS || len > SEGMENT_HEAD_SIZE);
    }
    assert_true(buf_put_byte(&file, 'x'));
    assert_int_equal(read_all(bytes_from(buf_str(&file)), &records, &error), STATUS_DATA_LOSS);
    folder_remove(&folder);
}

/* What stands before the damage is told apart from it, with its place. */
static void damage_is_named_by_its_place(void **)
{
    struct folder folder              = folder_new();
    CLEANUP(buf_done) struct buf file = file_of(&folder);
    struct error error                = {};
    size_t records                    = 0;
    file.ptr[file.len - 1] ^= 1;
    assert_int_equal(read_all(bytes_from(buf_str(&file)), &records, &error), STATUS_DATA_LOSS);
    assert_int_equal(records, RECORDS - 1);
    char place[64];
    (void)snprintf(place, sizeof place, "damaged at byte %zu:", file.len - (21 + 4 + 8));
    assert_non_null(strstr(error.text, place));
    folder_remove(&folder);
}

static void a_newer_format_is_refused(void **)
{
    struct folder folder              = folder_new();
    CLEANUP(buf_done) struct buf file = file_of(&folder);
    struct error error                = {};
    size_t records                    = 0;
    file.ptr[9]                       = SEGMENT_FORMAT + 1;
    assert_int_equal(read_all(bytes_from(buf_str(&file)), &records, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.text, "format 2"));
    folder_remove(&folder);
}

static void a_full_body_takes_no_more(void **)
{
    CLEANUP(buf_done) struct buf body = buf_init(100);
    struct segment_head head          = head_of(1, 1, 2, &body);
    size_t len                        = body.len;
    struct redo_record record = {.sequence = 3, .part = {"0123456789012345678901234567890", 31}};
    assert_false(segment_add(&head, &body, &record));
    assert_int_equal(body.len, len);
    assert_int_equal(head.last, 2);
}

/* --- folders -----------------------------------------------------------------------------------
 */

static void lists_are_in_order(void **)
{
    struct folder folder = folder_new();
    uint8_t two[REDO_TIMELINE_SIZE];
    memset(two, 2, sizeof two);
    make(&folder, 2, 11);
    make(&folder, 2, 6);
    make(&folder, 1, 900);
    make(&folder, 2, 1);
    static const char *const others[] = {
        "note.txt", "x.partial", "covered",
        "02020202020202020202020202020202-0000000000000000000x.redo"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct folder path = folder_join(&folder, others[i]);
        int fd             = open(path.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    CLEANUP(archive_list_done) struct archive_list all = {};
    assert_int_equal(archive_list_read(folder.path, NULL, &all, NULL), STATUS_OK);
    assert_int_equal(all.count, 4);
    assert_int_equal(all.entries[0].head.first, 900);
    CLEANUP(archive_list_done) struct archive_list list = {};
    assert_int_equal(archive_list_read(folder.path, two, &list, NULL), STATUS_OK);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(list.entries[i].head.first, 1 + 5 * i);

    archive_remove_partial(folder.path);
    struct folder partial = folder_join(&folder, "x.partial");
    assert_int_not_equal(access(partial.path, F_OK), 0);
    struct folder note = folder_join(&folder, "note.txt");
    assert_int_equal(access(note.path, F_OK), 0);

    /* A damaged head is an entry, too: its name says where it belongs. */
    struct folder bad = folder_join(&folder, list.entries[1].name);
    assert_int_equal(truncate(bad.path, 50), 0);
    CLEANUP(archive_list_done) struct archive_list again = {};
    assert_int_equal(archive_list_read(folder.path, two, &again, NULL), STATUS_OK);
    assert_int_equal(again.count, 3);
    assert_true(again.entries[1].is_damaged);
    assert_int_equal(again.entries[1].head.first, 6);
    folder_remove(&folder);
    struct archive_list none = {};
    assert_int_equal(archive_list_read(folder.path, NULL, &none, NULL), STATUS_OK);
    assert_int_equal(none.count, 0);
}

static void covered_reads_back(void **)
{
    struct folder folder           = folder_new();
    struct archive_covered covered = {.sequence = 77, .until_us = 1'700'000'000'000'000};
    struct archive_covered read    = {};
    memset(covered.timeline, 0xab, sizeof covered.timeline);
    assert_int_equal(archive_covered_read(folder.path, &read, NULL), STATUS_NOT_FOUND);
    assert_int_equal(archive_covered_write(folder.path, &covered, NULL), STATUS_OK);
    covered.until_us++;
    assert_int_equal(archive_covered_write(folder.path, &covered, NULL), STATUS_OK);
    assert_int_equal(archive_covered_read(folder.path, &read, NULL), STATUS_OK);
    assert_int_equal(read.sequence, 77);
    assert_int_equal(read.until_us, covered.until_us);
    assert_memory_equal(read.timeline, covered.timeline, sizeof read.timeline);

#define LINE "abababababababababababababababab"
    static const char *const bad[] = {"",
                                      LINE,
                                      LINE " \n",
                                      LINE " 1 2",
                                      LINE " 1 2\nx",
                                      LINE " 1 -2\n",
                                      LINE " 1  2\n",
                                      LINE " 99999999999999999999 2\n",
                                      "x" LINE " 1 2\n"};
    struct folder path             = folder_join(&folder, "covered");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        FILE *file = fopen(path.path, "we");
        assert_non_null(file);
        assert_true(fputs(bad[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(archive_covered_read(folder.path, &read, NULL), STATUS_DATA_LOSS);
    }
    folder_remove(&folder);
}

static void a_missing_folder_is_said(void **)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct segment_head head          = head_of(1, 1, 1, &body);
    struct archive_covered covered    = {};
    assert_int_equal(segment_write(&head, &body, "/nowhere/at/all", NULL), STATUS_UNAVAILABLE);
    assert_int_equal(archive_covered_write("/nowhere/at/all", &covered, NULL), STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),   cmocka_unit_test(every_damage_is_found),
        cmocka_unit_test(damage_is_named_by_its_place), cmocka_unit_test(a_newer_format_is_refused),
        cmocka_unit_test(a_full_body_takes_no_more),    cmocka_unit_test(lists_are_in_order),
        cmocka_unit_test(covered_reads_back),           cmocka_unit_test(a_missing_folder_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
