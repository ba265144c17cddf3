#include "tool-adapter/browser/folder.h"

#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX "tutti-browser-"

enum { WALK_DESCRIPTORS = 16 };

struct browser_folder {
    struct work work;
    char parent[FOLDER_PATH_MAX];
    char path[FOLDER_PATH_MAX];
    int lock;
    bool is_removed;
};

/* A folder is locked as such: what is in it is the browser's. */
static int lock_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    (void)close(fd);
    return -1;
}

status browser_folder_new(const char *parent, struct browser_folder **ret_folder,
                          struct error *reterr)
{
    struct browser_folder folder = {};
    int parent_len               = snprintf(folder.parent, sizeof folder.parent, "%s", parent);
    int len = snprintf(folder.path, sizeof folder.path, "%s/" PREFIX "XXXXXX", parent);
    if (parent_len < 0 || (size_t)len >= sizeof folder.path) {
        return fail(reterr, STATUS_UNAVAILABLE, "tools.browser.folder is too long");
    }
    if (!mkdtemp(folder.path)) {
        return fail(reterr, STATUS_UNAVAILABLE, "tools.browser.folder: %.100s: %m", parent);
    }
    folder.lock = lock_of(folder.path);
    *ret_folder = mem_new(1, sizeof folder);
    memcpy(*ret_folder, &folder, sizeof folder);
    return STATUS_OK;
}

const char *browser_folder_path(const struct browser_folder *folder)
{
    return folder->path;
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    (void)remove(path); /* what stays is a leftover for the next one */
    return 0;
}

static void remove_tree(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): without FTW_CHDIR it has no state of the process */
    (void)nftw(path, remove_one, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void remove_leftovers(const char *parent)
{
    DIR *dir = opendir(parent);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) { // NOLINT: glibc's is safe enough
        char path[FOLDER_PATH_MAX];
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0) continue;
        int len = snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if ((size_t)len >= sizeof path) continue;
        int lock = lock_of(path);
        if (lock < 0) continue;
        remove_tree(path);
        (void)close(lock);
    }
    (void)closedir(dir);
}

static void run(void *context)
{
    struct browser_folder *folder = context;
    remove_tree(folder->path);
    remove_leftovers(folder->parent);
    folder->is_removed = true;
}

static void done(void *context)
{
    struct browser_folder *folder = context;
    if (!folder->is_removed) run(folder); /* the pool ends, and with it the process */
    if (folder->lock >= 0) (void)close(folder->lock);
    free(folder);
}

void browser_folder_remove(struct browser_folder *folder, struct work_pool *pool)
{
    if (!folder) return;
    folder->work = (struct work){.run = run, .done = done, .context = folder};
    work_pool_run(pool, &folder->work);
}
