#include "scheduler/bootstrap.h"

#include "auth/api_key.h"
#include "auth/role.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/random.h"
#include "scheduler/tables/record.h"
#include "system.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 1 << 20, READ_MAX = 256 /* bytes: a key, a line end, some blanks */ };

/* --- the file ----------------------------------------------------------------------------------
 */

/* NOLINTNEXTLINE(readability-non-const-parameter): CLEANUP's type */
static void close_fd(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
}

static status read_key(int fd, const char *path, struct api_key *ret_key, struct error *reterr)
{
    char text[READ_MAX];
    ssize_t size = read(fd, text, sizeof text);
    if (size < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    struct stat about = {};
    if (fstat(fd, &about) == 0 && (about.st_mode & 077)) {
        log_write(LOG_WARN, "bootstrap_key.readable_by_others", LOG_TEXT_OF("file", path));
    }
    str key = {text, (size_t)size};
    while (key.len > 0 && (unsigned char)key.ptr[key.len - 1] <= ' ') key.len--;
    if (api_key_parse(key, ret_key)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: holds no key of the form tutti_<id>_<secret>",
                path);
}

static status make_key(const char *path, struct api_key *ret_key, struct error *reterr)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    uint8_t random[API_KEY_RANDOM];
    random_bytes(random, sizeof random);
    api_key_make(random, ret_key);

    char line[API_KEY_LEN + 1];
    memcpy(line, ret_key->text, API_KEY_LEN);
    line[API_KEY_LEN] = '\n';
    bool is_written   = write(fd, line, sizeof line) == (ssize_t)sizeof line && fsync(fd) == 0;
    if (is_written) return STATUS_OK;
    status failed = fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    (void)unlink(path); /* half a key would be refused at the next start */
    return failed;
}

static status read_or_make(const char *path, struct api_key *ret_key, struct error *reterr)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return read_key(fd, path, ret_key, reterr);
    if (errno != ENOENT) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    return make_key(path, ret_key, reterr);
}

/* --- the store ---------------------------------------------------------------------------------
 */

/* A key that was revoked, or got another secret since, stays as it is now. */
static bool is_registered(const struct shard *shard, const struct api_key *key, struct arena *arena)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (txn_begin_read(shard->partition->store, &txn, NULL) != STATUS_OK) return false;
    struct key row_key;
    api_key_key(&row_key, str_from(key->id));
    Pb__ApiKey *row = NULL;
    status got      = record_get(txn, TABLE_API_KEYS, key_bytes(&row_key), &pb__api_key__descriptor,
                                 arena, &row, NULL);
    return got == STATUS_OK;
}

static void on_done(struct command *command)
{
    int failed = sem_post(command->context);
    ASSERT(!failed);
}

static status put(struct shard *shard, struct api_key *key, struct arena *arena,
                  struct error *reterr)
{
    const char *roles[] = {role_name(ROLE_ADMIN)};
    Pb__ApiKey request  = PB__API_KEY__INIT;
    Pb__ApiKey response = PB__API_KEY__INIT;
    request.id          = key->id;
    request.name        = "bootstrap";
    request.namespace_  = "*";
    request.roles       = roles;
    request.n_roles     = ARRAY_LEN(roles);
    request.secret_sha256 =
        (ProtobufCBinaryData){.data = key->secret_sha256, .len = sizeof key->secret_sha256};

    sem_t done;
    int failed = sem_init(&done, 0, 0);
    ASSERT(!failed);
    struct command command = {.mail     = {.size_bytes = sizeof command},
                              .kind     = COMMAND_PUT_KEY,
                              .request  = &request,
                              .response = &response,
                              .arena    = arena,
                              .done     = on_done,
                              .context  = &done};
    TRY(engine_post(shard->engine, &command, reterr));
    while (sem_wait(&done) && errno == EINTR) continue;
    (void)sem_destroy(&done);
    if (command.code == STATUS_OK) return STATUS_OK;
    return fail(reterr, command.code, "the bootstrap key: %s", command.error.text);
}

status bootstrap_key(struct scheduler *scheduler, const char *path, struct error *reterr)
{
    struct shard *shard = scheduler_shard(scheduler, 0);
    if (!shard) return STATUS_OK;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);

    struct api_key key = {};
    TRY(read_or_make(path, &key, reterr));
    log_add_secret(str_from(key.text));
    if (is_registered(shard, &key, arena)) return STATUS_OK;
    TRY(put(shard, &key, arena, reterr));
    log_write(LOG_INFO, "bootstrap_key.registered", LOG_TEXT_OF("key", key.id),
              LOG_TEXT_OF("file", path));
    return STATUS_OK;
}
