#include "support/folder.h"

#include "base/assert.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder folder_new(void)
{
    const char *parent   = getenv("TMPDIR");
    struct folder folder = {};
    int len =
        snprintf(folder.path, sizeof folder.path, "%s/tutti-XXXXXX", parent ? parent : "/tmp");
    ASSERT(len < FOLDER_PATH_MAX);
    ASSERT(mkdtemp(folder.path));
    return folder;
}

struct folder folder_join(const struct folder *folder, const char *name)
{
    struct folder path = {};
    int len            = snprintf(path.path, sizeof path.path, "%s/%s", folder->path, name);
    ASSERT(len < FOLDER_PATH_MAX);
    return path;
}

struct folder folder_sub(const struct folder *folder, const char *name)
{
    struct folder sub = folder_join(folder, name);
    ASSERT(mkdir(sub.path, 0700) == 0);
    return sub;
}

/* Removes the plain files of a folder, and what `remove_sub` makes of its sub-folders. */
static void empty(const char *path, void (*remove_sub)(const char *path))
{
    DIR *list = opendir(path);
    if (!list) return;
    const struct dirent *entry = NULL;
    while ((entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char name[FOLDER_PATH_MAX + 256];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0 && remove_sub) remove_sub(name);
    }
    closedir(list);
}

static void remove_sub(const char *path)
{
    empty(path, NULL);
    (void)rmdir(path);
}

void folder_remove(const struct folder *folder)
{
    empty(folder->path, remove_sub);
    (void)rmdir(folder->path);
}
