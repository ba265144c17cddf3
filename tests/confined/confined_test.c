/* What a container with a browser may ask the kernel for. What the profile denies is told from what
 * the kernel denies by an error of its own. */
#include "cmocka.h"
#include "profile.h"

#include <assert.h>
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROFILE "compose/seccomp/browser.json"
#define SPACES  (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

enum {
    DENIED               = ENOTRECOVERABLE,
    UNREADABLE           = 255,
    ADDRESSES_NOT_RANDOM = 0x0040000,
    X32                  = 0x40000000
};

struct call {
    const char *name;
    unsigned long arguments[6];
    int error; /* 0: it is allowed */
    const char *what;
};

/* --- one call in a process of its own --------------------------------------------------------- */

static int ask(const struct call *call)
{
    const unsigned long *a = call->arguments;
    errno                  = 0;
    long answer            = syscall(profile_call(call->name), a[0], a[1], a[2], a[3], a[4], a[5]);
    bool is_new            = answer == 0 && strcmp(call->name, "clone") == 0;
    if (is_new) _exit(0);
    return answer < 0 ? errno : 0;
}

/* The number of its error. */
static int outcome(int (*body)(const void *), const void *context, bool is_confined,
                   int *ret_signal)
{
    int answer  = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct profile_change change = {.denied = DENIED};
        struct error error                 = {};
        status code = is_confined ? profile_load(PROFILE, &change, &error) : STATUS_OK;
        if (code != STATUS_OK) (void)fprintf(stderr, "%s\n", error.text);
        _exit(code == STATUS_OK ? body(context) : UNREADABLE);
    }
    assert_int_equal(waitpid(child, &answer, 0), child);
    if (ret_signal) *ret_signal = WIFSIGNALED(answer) ? WTERMSIG(answer) : 0;
    return WEXITSTATUS(answer);
}

static int ask_one(const void *context)
{
    return ask(context);
}

/* --- what is denied --------------------------------------------------------------------------- */

/* What the default profile of container runtimes denies to who has no capability, and what is
 * behind it: other processes, the kernel's own parts, keys, mounts, the clock, and interfaces that
 * few programs use and many faults were in. */
/* clang-format off */
static const char *const denied[] = {
    "_sysctl", "acct", "add_key", "adjtimex", "bpf", "clock_adjtime", "clock_settime",
    "create_module", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount",
    "fsopen", "fspick", "get_mempolicy", "init_module", "io_setup", "io_submit",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "migrate_pages",
    "mknod", "mknodat", "modify_ldt", "mount", "mount_setattr", "move_mount", "move_pages",
    "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open",
    "pidfd_getfd", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev",
    "ptrace", "query_module", "quotactl", "reboot", "request_key", "set_mempolicy",
    "setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "sysfs",
    "syslog", "umount2", "uselib", "userfaultfd", "ustat", "vhangup", "vmsplice",
};
/* clang-format on */

/* The place behind that of the first which is not. */
static int ask_all(const void *)
{
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        const struct call call = {.name = denied[i]};
        bool is_here           = profile_call(call.name) >= 0;
        if (is_here && ask(&call) != DENIED) return (int)i + 1;
    }
    return 0;
}

static void what_no_page_needs_is_denied(void **)
{
    static_assert(ARRAY_LEN(denied) < UNREADABLE);
    int place = outcome(ask_all, NULL, true, NULL);
    assert_int_not_equal(place, UNREADABLE);
    if (place > 0) fail_msg("%s", denied[place - 1]);
}

static const struct call rows[] = {
    {"clone3", {}, ENOSYS, "clone3 is as if it were not there"},
    {"unshare", {CLONE_NEWNS}, DENIED, "no namespace of mounts"},
    {"unshare", {CLONE_NEWUSER | CLONE_NEWNS}, DENIED, "nor one with a namespace of users"},
    {"unshare", {CLONE_NEWUTS}, DENIED, "no namespace of host names"},
    {"unshare", {CLONE_NEWIPC}, DENIED, "no namespace of IPC"},
    {"unshare", {CLONE_NEWCGROUP}, DENIED, "no namespace of cgroups"},
    {"unshare", {CLONE_NEWTIME}, DENIED, "no namespace of time"},
    {"clone",
     {CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD},
     DENIED,
     "no process in a namespace of mounts"},
    {"clone", {CLONE_NEWUSER | CLONE_NEWCGROUP | SIGCHLD}, DENIED, "nor in one of cgroups"},
    {"socket", {AF_VSOCK, SOCK_STREAM}, DENIED, "no socket to the host of a virtual machine"},
    {"socket", {AF_PACKET, SOCK_RAW}, DENIED, "no socket for packets as they are"},
    {"socket", {AF_ALG, SOCK_SEQPACKET}, DENIED, "no socket to the ciphers of the kernel"},
    {"socket", {AF_BLUETOOTH, SOCK_RAW}, DENIED, "no socket to devices"},
    {"personality", {ADDRESSES_NOT_RANDOM}, DENIED, "addresses stay random"},
    {"personality", {0xffffffff}, 0, "what personality it has may be asked"},
    {"socket", {AF_UNIX, SOCK_STREAM}, 0, "sockets of the machine"},
    {"socket", {AF_INET, SOCK_STREAM}, 0, "sockets of IP"},
    {"socket", {AF_INET6, SOCK_STREAM}, 0, "sockets of IPv6"},
    {"clone", {SIGCHLD}, 0, "a process"},
};

static void check_call(void **state)
{
    const struct call *call = *state;
    assert_int_equal(outcome(ask_one, call, true, NULL), call->error);
}

/* A filter for 64 bits would not see the calls of the other ways into the kernel. */
static int ask_as_x32(const void *)
{
    return syscall(X32 | SYS_getpid) < 0 ? errno : 0;
}

static void other_ways_into_the_kernel_end_the_process(void **)
{
#ifdef __x86_64__
    int killed = 0;
    (void)outcome(ask_as_x32, NULL, true, &killed);
    assert_int_equal(killed, SIGSYS);
#else
    print_message("skipped: only x86-64 has x32\n");
    skip();
#endif
}

/* --- what the sandbox of the browser needs ---------------------------------------------------- */

/* As Chromium does: who is root there alone sees no files, and gives all up again. */
static int sandbox(const void *)
{
    static const struct call calls[] = {
        {.name = "unshare", .arguments = {CLONE_NEWUSER}},
        {.name = "chroot", .arguments = {(unsigned long)"/proc/self/fdinfo"}},
        {.name = "clone", .arguments = {CLONE_NEWPID | CLONE_NEWNET | SIGCHLD}},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        int error = ask(&calls[i]);
        if (error) return error;
    }
    return 0;
}

/* Where even a program without a profile may make none, nothing is to be seen of the profile. */
static void needs_namespaces(void)
{
    if (outcome(sandbox, NULL, false, NULL) == 0) return;
    print_message("skipped: this machine gives no user namespaces\n");
    skip();
}

static void the_sandbox_of_the_browser_can_be_built(void **)
{
    needs_namespaces();
    assert_int_equal(outcome(sandbox, NULL, true, NULL), 0);
}

/* The root of a namespace may mount and trace in there, if nobody denies it. */
static int root_of_a_namespace(const void *context)
{
    const struct call space = {.name = "unshare", .arguments = {SPACES}};
    int error               = ask(&space);
    return error ? error : ask(context);
}

static void who_is_root_in_a_namespace_gains_nothing(void **)
{
    static const struct call calls[] = {
        {.name = "mount"}, {.name = "ptrace"}, {.name = "unshare", .arguments = {CLONE_NEWNS}}};
    needs_namespaces();
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        assert_int_equal(outcome(root_of_a_namespace, &calls[i], true, NULL), DENIED);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].what, check_call, &rows[i]);
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_no_page_needs_is_denied),
        cmocka_unit_test(other_ways_into_the_kernel_end_the_process),
        cmocka_unit_test(the_sandbox_of_the_browser_can_be_built),
        cmocka_unit_test(who_is_root_in_a_namespace_gains_nothing),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL) +
           cmocka_run_group_tests_name("kinds", others, NULL, NULL);
}
