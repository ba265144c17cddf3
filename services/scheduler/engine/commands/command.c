#include "scheduler/engine/commands/command.h"

#include "base/assert.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(offsetof(struct command, mail) == 0);

struct command *command_of(struct mail *mail)
{
    void *command = mail; /* its first member */
    return command;
}

void command_release(struct command *command)
{
    workflow_unref(command->workflow);
    command->workflow = NULL;
    for (size_t i = 0; i < command->value_count; i++) json_unref(command->values[i]);
    free(command->values);
    command->values      = NULL;
    command->value_count = 0;
}

status command_refuse(struct command *command, status code, const char *name, const char *format,
                      ...)
{
    ASSERT(code != STATUS_OK);
    command->code       = code;
    command->error.code = name;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command->error.text, sizeof command->error.text, format, arguments);
    va_end(arguments);
    return STATUS_OK;
}
