/*
 * Bytes as the log of a store: whatever they are, they are read or refused, and what is read was
 * written. The first byte says how: 0: the rest is its two files, one half each; else a log of two
 * files and seven commits is damaged, by four bytes each time: file, place u16, what changes there.
 * If one byte of it is damaged, no commit is missing unless it is the last one. 2: afterwards the
 * checksums of heads are made right, so that what is behind them is reached.
 */
#include "store/wal.h"

#include "base/assert.h"
#include "store/wal_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER_MAX = 64, PATH_MAX_LEN = 80, COMMITS = 7, IN_FIRST = 4, DAMAGE_SIZE = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const char *folder, unsigned file)
{
    char path[PATH_MAX_LEN];
    (void)snprintf(path, sizeof path, "%s/wal.%u", folder, file);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT(fd >= 0);
    return fd;
}

static void remove_all(const char *folder)
{
    static const char *const names[] = {"wal.0", "wal.1", "wal.new"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_MAX_LEN];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void put_file(const char *folder, unsigned file, bytes content)
{
    int fd = file_of(folder, file);
    ASSERT(write(fd, content.ptr, content.len) == (ssize_t)content.len);
    close(fd);
}

/* Commit n holds n times its number. */
static void append(struct wal *wal, uint8_t commit)
{
    uint8_t payload[COMMITS + 1];
    memset(payload, commit, sizeof payload);
    status appended = wal_append(wal, commit, (bytes){payload, commit}, NULL);
    ASSERT(appended == STATUS_OK);
}

static void write_log(const char *folder)
{
    static const uint8_t keep[1000];
    struct wal *wal             = NULL;
    const struct wal_base none  = {.keep = {keep, sizeof keep}};
    const struct wal_base first = {.commit = IN_FIRST, .keep = {keep, sizeof keep}};
    status made                 = wal_open(folder, NULL, &none, &wal, NULL);
    ASSERT(made == STATUS_OK);
    for (uint8_t i = 1; i <= IN_FIRST; i++) append(wal, i);
    status turned = wal_turn(wal, &first, NULL);
    ASSERT(turned == STATUS_OK);
    for (uint8_t i = IN_FIRST + 1; i <= COMMITS; i++) append(wal, i);
    wal_close(wal);
}

static void damage(const char *folder, bytes places)
{
    const uint8_t *at = places.ptr;
    for (size_t i = 0; i + DAMAGE_SIZE <= places.len; i += DAMAGE_SIZE) {
        int fd       = file_of(folder, at[i] & 1);
        off_t offset = at[i + 1] << 8 | at[i + 2];
        uint8_t byte = 0;
        if (pread(fd, &byte, 1, offset) == 1) {
            byte ^= at[i + 3];
            ASSERT(pwrite(fd, &byte, 1, offset) == 1);
        }
        close(fd);
    }
}

static void make_right(const char *folder)
{
    for (unsigned i = 0; i < WAL_FILES; i++) {
        static uint8_t front[WAL_HEAD_SIZE + WAL_BASE_MAX];
        struct wal_head head = {};
        int fd               = file_of(folder, i);
        ssize_t got          = pread(fd, front, sizeof front, 0);
        memcpy(&head, front, sizeof head);
        if (got >= WAL_HEAD_SIZE && head.keep_len <= (size_t)got - WAL_HEAD_SIZE) {
            head.checksum = wal_head_checksum(&head, (bytes){front + WAL_HEAD_SIZE, head.keep_len});
            ASSERT(pwrite(fd, &head, sizeof head, 0) == sizeof head);
        }
        close(fd);
    }
}

/* The number of the last commit that is read; -1: the log is refused. */
static int read_log(const char *folder, bool is_ours)
{
    struct wal_past *past    = NULL;
    struct wal_record record = {};
    struct error error       = {};
    status read              = wal_past_read(folder, &past, &error);
    ASSERT(read == STATUS_OK || read == STATUS_DATA_LOSS);
    if (read != STATUS_OK) ASSERT(error.text[0] != '\0');
    if (read != STATUS_OK || !past) return -1;
    uint64_t last = wal_past_base(past).commit;
    uint8_t sum   = 0;
    while (wal_past_next(past, &record)) {
        const uint8_t *payload = record.payload.ptr;
        for (size_t i = 0; i < record.payload.len; i++) sum ^= payload[i];
        if (is_ours) ASSERT(record.commit == last + 1 && record.payload.len == record.commit);
        if (is_ours) ASSERT(payload[record.commit - 1] == record.commit);
        last = record.commit;
    }
    wal_past_free(past);
    return is_ours ? (int)last : sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[FOLDER_MAX] = "/dev/shm/wal_fuzz.XXXXXX";
    if (size == 0) return 0;
    if (!mkdtemp(folder)) return 0;
    bytes rest = {data + 1, size - 1};
    if (data[0] == 0) {
        put_file(folder, 0, (bytes){data + 1, rest.len / 2});
        put_file(folder, 1, (bytes){data + 1 + rest.len / 2, rest.len - rest.len / 2});
        (void)read_log(folder, false);
    } else {
        write_log(folder);
        damage(folder, rest);
        if (data[0] == 2) make_right(folder);
        int last = read_log(folder, data[0] != 2);
        if (data[0] == 1 && rest.len / DAMAGE_SIZE == 1) ASSERT(last == -1 || last >= COMMITS - 1);
    }
    remove_all(folder);
    return 0;
}
