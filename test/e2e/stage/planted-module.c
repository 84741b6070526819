/* A module with one command, for a test: of the module API only what it needs, as redismodule.h has it. */
static int (*create)(void *, const char *, int (*)(void *, void **, int), const char *, int, int, int);
static void (*name)(void *, const char *, int, int);
static int (*reply)(void *, long long);

static int answer(void *ctx, void **argv, int argc) {
  (void)argv;
  (void)argc;
  return reply(ctx, 42);
}

int RedisModule_OnLoad(void *ctx, void **argv, int argc) {
  int (*api)(const char *, void *) = (int (*)(const char *, void *))((void **)ctx)[0];
  (void)argv;
  (void)argc;
  api("RedisModule_CreateCommand", (void *)&create);
  api("RedisModule_SetModuleAttribs", (void *)&name);
  api("RedisModule_ReplyWithLongLong", (void *)&reply);
  name(ctx, "planted", 1, 1);
  return create(ctx, "planted.answer", answer, "readonly", 0, 0, 0);
}
