#include "tool-adapter/browser/chromium.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tool-adapter/browser/folder.h"
#include "tool-adapter/processes/child_process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    COMMANDS_FD = 3, /* where a browser reads; it writes to the next one */

    UNREAD_MAX      = 128 << 20, /* bytes that wait for it to read them */
    WORDS_MAX       = 1'024,     /* bytes kept of what it says to people */
    ARGUMENTS_MAX   = 48,
    MEMORY_TEXT_MAX = 256,

    FILE_SIZE_MAX   = 512 << 20,
    DESCRIPTORS_MAX = 4'096,
};

struct chromium {
    struct chromium_options options;
    struct browser_folder *folder;
    struct child_process *child;
    char words[WORDS_MAX];
    size_t words_len;
};

/* Every switch takes something away: network, other people's services, things that need a person.
 * Source: chrome/common/chrome_switches.cc, content/public/common/content_switches.cc,
 * services/network/public/cpp/network_switches.cc. */
static const char *const switches[] = {
    "--headless",
    "--remote-debugging-pipe",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    /* Nobody but our client reaches anything. */
    "--proxy-server=http://nowhere.invalid:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--disable-breakpad",
    "--no-pings",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--disable-features=MediaRouter,OptimizationHints,Translate,WebTransport,DirectSockets",
    "--mute-audio",
    "--disable-gpu",
    "--disable-dev-shm-usage", /* containers have 64 MiB of it */
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--disable-hang-monitor",
    /* What is behind another window is painted all the same. */
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
};

status chromium_check(const char *path, struct error *reterr)
{
    if (!path || !*path) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "there is no browser: tools.browser.path is empty");
    }
    if (access(path, X_OK) == 0) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "there is no browser: tools.browser.path: %.100s: %m (Debian's package `chromium`)",
                path);
}

/* --- what it says and is told ----------------------------------------------------------------- */

static void said(str piece, void *context)
{
    struct chromium *chromium = context;
    if (piece.len > WORDS_MAX) piece = str_slice(piece, piece.len - WORDS_MAX, piece.len);
    size_t room = WORDS_MAX - chromium->words_len;
    if (piece.len > room) {
        size_t drop = piece.len - room;
        chromium->words_len -= drop;
        memmove(chromium->words, chromium->words + drop, chromium->words_len);
    }
    memcpy(chromium->words + chromium->words_len, piece.ptr, piece.len);
    chromium->words_len += piece.len;
}

static void came(str piece, void *context)
{
    const struct chromium *chromium = context;
    chromium->options.came(piece, chromium->options.context);
}

bool chromium_write(struct chromium *chromium, str message)
{
    if (child_process_write(chromium->child, message)) return true;
    chromium_kill(chromium); /* it does not read any more */
    return false;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void ended(int, void *context)
{
    const struct chromium *chromium = context;
    str words                       = {.ptr = chromium->words, .len = chromium->words_len};
    chromium->options.ended(words, chromium->options.context);
}

void chromium_kill(struct chromium *chromium)
{
    child_process_kill(chromium->child);
}

void chromium_freep(struct chromium **ref)
{
    struct chromium *chromium = *ref;
    if (!chromium) return;
    child_process_freep(&chromium->child);
    browser_folder_remove(TAKE(chromium->folder), chromium->options.pool);
    free(chromium);
    *ref = NULL;
}

/* --- its beginning ---------------------------------------------------------------------------- */

static status launch(struct chromium *chromium, struct error *reterr)
{
    const struct chromium_options *given = &chromium->options;
    const char *home                     = browser_folder_path(chromium->folder);
    char profile[FOLDER_PATH_MAX + 32];
    char home_is[FOLDER_PATH_MAX + 32];
    char tmp_is[FOLDER_PATH_MAX + 32];
    (void)snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", home);
    (void)snprintf(home_is, sizeof home_is, "HOME=%s", home);
    (void)snprintf(tmp_is, sizeof tmp_is, "TMPDIR=%s", home);

    const char *arguments[ARGUMENTS_MAX];
    size_t count       = 0;
    arguments[count++] = given->path;
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) arguments[count++] = switches[i];
    arguments[count++] = profile;
    if (!given->has_sandbox) arguments[count++] = "--no-sandbox";
    arguments[count] = NULL;
    static_assert(ARRAY_LEN(switches) + 4 <= ARGUMENTS_MAX);
    const char *environment[] = {home_is, tmp_is, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};

    const struct child_process_options options = {.loop            = given->loop,
                                                  .path            = given->path,
                                                  .arguments       = arguments,
                                                  .environment     = environment,
                                                  .folder          = home,
                                                  .pipes_at        = COMMANDS_FD,
                                                  .file_size_max   = FILE_SIZE_MAX,
                                                  .descriptors_max = DESCRIPTORS_MAX,
                                                  .unread_max      = UNREAD_MAX,
                                                  .came            = came,
                                                  .said            = said,
                                                  .ended           = ended,
                                                  .context         = chromium};
    return child_process_start(&options, &chromium->child, reterr);
}

status chromium_start(const struct chromium_options *options, struct chromium **ret_chromium,
                      struct error *reterr)
{
    TRY(chromium_check(options->path, reterr));
    CLEANUP(chromium_freep) struct chromium *chromium = mem_new(1, sizeof *chromium);
    chromium->options                                 = *options;
    TRY(browser_folder_new(options->folder, &chromium->folder, reterr));
    TRY(launch(chromium, reterr));
    *ret_chromium = TAKE(chromium);
    return STATUS_OK;
}

/* proc(5): the second number of statm is what is resident, the third what of that is shared. */
uint64_t chromium_memory_of(int64_t pid)
{
    char path[MEMORY_TEXT_MAX];
    CLEANUP(buf_done) struct buf text = buf_init(MEMORY_TEXT_MAX);
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/statm", pid);
    if (file_read(path, &text, NULL) != STATUS_OK) return 0;
    char *at          = NULL;
    uint64_t resident = 0;
    (void)strtoull(text.ptr, &at, 10);
    resident        = strtoull(at, &at, 10);
    uint64_t shared = strtoull(at, &at, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
