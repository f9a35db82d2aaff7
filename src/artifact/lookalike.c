/*
 * Artifacts that look like something else.
 *
 * Who is used to functions that take a path registers one by mistake, and would
 * find out when the model is needed.  It is told, not refused: the bytes of an
 * artifact are the caller's business.  Nothing here opens a file.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "artifact/lookalike.h"
#include "base/clip.h"

/* No path is longer. */
#define MAX_PATH_LEN 1024

/* What the names of models' files end in; docs/sql-api.md has the list. */
static const char *const suffixes[] = {
	".bin", ".cbm", ".ckpt", ".gguf", ".h5", ".hdf5", ".joblib", ".json",
	".keras", ".mar", ".mlmodel", ".model", ".npy", ".npz", ".onnx", ".pb",
	".pickle", ".pkl", ".pmml", ".pt", ".pth", ".safetensors", ".skops",
	".tar", ".tar.gz", ".tflite", ".tgz", ".ubj", ".zip"
};

static bool is_printable(const char *data, size_t len);
static bool ends_in_suffix(const char *data, size_t len);

/*
 * Gives notice of an artifact that looks like the path of a model's file: one
 * printable line that ends in such a file's suffix.
 */
void
mr_lookalike_notice(const char *data, size_t len)
{
	/* as a shell's command writes it */
	if (len > 0 && len <= MAX_PATH_LEN && data[len - 1] == '\n')
		len--;
	if (len == 0 || len > MAX_PATH_LEN ||
		!is_printable(data, len) || !ends_in_suffix(data, len))
		return;
	ereport(NOTICE,
			(errmsg("artifact looks like a path: \"%s\"",
					mr_clip_bytes(data, len)),
			 errdetail("These bytes are registered, not those of a file."),
			 errhint("Send the content of the file, as the command \"modelreg push\" does.")));
}

static bool
is_printable(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) data[i] < 0x20 || data[i] == 0x7F)
			return false;
	return pg_verify_mbstr(GetDatabaseEncoding(), data, len, true);
}

static bool
ends_in_suffix(const char *data, size_t len)
{
	for (int i = 0; i < lengthof(suffixes); i++)
	{
		size_t		suffix_len = strlen(suffixes[i]);

		if (len >= suffix_len &&
			pg_strncasecmp(data + len - suffix_len, suffixes[i],
						   suffix_len) == 0)
			return true;
	}
	return false;
}
