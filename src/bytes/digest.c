/*
 * SHA-256 of artifacts, with OpenSSL.
 *
 * A digest lives in a memory context of its own, whose end frees what OpenSSL
 * allocated, so that an error in between leaks nothing.
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "bytes/digest.h"

/* How many bytes are hashed between two checks for interrupts: some 10 ms. */
#define BYTES_PER_CHECK ((Size) 4 * 1024 * 1024)

/* A digest that is being computed. */
struct MrDigest
{
	MemoryContext context;		/* holds this struct, and ends it */
	MemoryContextCallback callback; /* frees evp when context ends */
	EVP_MD_CTX *evp;			/* OpenSSL's state, or NULL */
};

static void digest_free(void *arg);
static int	hex_value(char c);

/*
 * Begin a digest, in a child of the current memory context.  It ends with
 * mr_digest_end, or that context.
 */
MrDigest *
mr_digest_begin(void)
{
	MemoryContext context;
	MrDigest   *digest;

	context = AllocSetContextCreate(CurrentMemoryContext, "modelreg digest",
									ALLOCSET_SMALL_SIZES);
	digest = MemoryContextAllocZero(context, sizeof(MrDigest));
	digest->context = context;
	digest->callback.func = digest_free;
	digest->callback.arg = digest;
	MemoryContextRegisterResetCallback(context, &digest->callback);

	digest->evp = EVP_MD_CTX_new();
	if (digest->evp == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (EVP_DigestInit_ex(digest->evp, EVP_sha256(), NULL) != 1)
		mr_digest_failed();

	return digest;
}

/*
 * A copy of a digest as far as it has come, in a child of the current memory
 * context.
 */
MrDigest *
mr_digest_copy(MrDigest *digest)
{
	MrDigest   *copy = mr_digest_begin();

	if (EVP_MD_CTX_copy_ex(copy->evp, digest->evp) != 1)
		mr_digest_failed();
	return copy;
}

/*
 * Add bytes.  Does not check for interrupts.
 */
void
mr_digest_add(MrDigest *digest, const void *data, Size len)
{
	if (!mr_digest_try_add(digest, data, len))
		mr_digest_failed();
}

/*
 * Add a text in UTF-8, whatever the encoding of the database, and tell how many
 * bytes that were.
 */
Size
mr_digest_add_text(MrDigest *digest, const char *text, int len)
{
	char	   *utf8 = pg_server_to_any(text, len, PG_UTF8);

	if (utf8 != text)
		len = strlen(utf8);
	mr_digest_add(digest, utf8, len);
	if (utf8 != text)
		pfree(utf8);
	return len;
}

/*
 * Add bytes, but return false instead of raising an error, and touch nothing
 * but the digest and the bytes: a thread may call it.
 */
bool
mr_digest_try_add(MrDigest *digest, const void *data, Size len)
{
	return EVP_DigestUpdate(digest->evp, data, len) == 1;
}

/*
 * Store the SHA-256 of all bytes added in out (MR_SHA256_LEN bytes), and free
 * the digest.
 */
void
mr_digest_end(MrDigest *digest, uint8 *out)
{
	if (EVP_DigestFinal_ex(digest->evp, out, NULL) != 1)
		mr_digest_failed();
	MemoryContextDelete(digest->context);
}

/*
 * Store the SHA-256 of len bytes in out.
 */
void
mr_digest_bytes(const void *data, Size len, uint8 *out)
{
	MrDigest   *digest = mr_digest_begin();
	const char *next = data;

	while (len > 0)
	{
		Size		run = Min(len, BYTES_PER_CHECK);

		CHECK_FOR_INTERRUPTS();
		mr_digest_add(digest, next, run);
		next += run;
		len -= run;
	}
	mr_digest_end(digest, out);
}

/*
 * Raise OpenSSL's error, if it has left one, and leave its queue empty for the
 * next user.
 */
void
mr_digest_failed(void)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("could not compute SHA-256: %s",
					reason ? reason : "OpenSSL gave no reason")));
}

/*
 * A SHA-256 as a bytea.
 */
MrValue
mr_digest_value(const uint8 *sha256)
{
	text	   *bytes = cstring_to_text_with_len((const char *) sha256,
												 MR_SHA256_LEN);

	return mr_value_of(BYTEAOID, PointerGetDatum(bytes));
}

/*
 * Stores a bytea in out.  Returns false, with out as it was, if it is no
 * SHA-256 by its length.
 */
bool
mr_digest_from_datum(Datum datum, uint8 *out)
{
	bytea	   *bytes = DatumGetByteaPP(datum);

	if (VARSIZE_ANY_EXHDR(bytes) != MR_SHA256_LEN)
		return false;
	memcpy(out, VARDATA_ANY(bytes), MR_SHA256_LEN);
	return true;
}

/*
 * Return a SHA-256 as 64 lower-case hexadecimal digits, palloc'd.
 */
char *
mr_digest_hex(const uint8 *sha256)
{
	char	   *hex = palloc(2 * MR_SHA256_LEN + 1);

	hex_encode((const char *) sha256, MR_SHA256_LEN, hex);
	hex[2 * MR_SHA256_LEN] = '\0';
	return hex;
}

/*
 * Store what 64 hexadecimal digits of either case stand for in out.  Returns
 * false, with out undefined, for any other string.
 */
bool
mr_digest_from_hex(const char *hex, uint8 *out)
{
	int			i;

	if (strlen(hex) != 2 * MR_SHA256_LEN)
		return false;
	for (i = 0; i < MR_SHA256_LEN; i++)
	{
		int			high = hex_value(hex[2 * i]);
		int			low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8) (high << 4 | low);
	}
	return true;
}

/*
 * Memory context callback: free what OpenSSL allocated.
 */
static void
digest_free(void *arg)
{
	MrDigest   *digest = arg;

	EVP_MD_CTX_free(digest->evp);
	digest->evp = NULL;
}

/*
 * The value of a hexadecimal digit, or -1.
 */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
