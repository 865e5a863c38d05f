import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient, type UseMutationResult } from "@tanstack/react-query";
import { DeskError } from "@/lib/api";
import { common } from "@/lib/strings";

/** Says in the desk's words what did not happen. */
export function tell(error: unknown): void {
  const known = error instanceof DeskError ? error : new DeskError(0, "unexpected", String(error));
  const id = known.correlationId && ` (${common.correlation} ${known.correlationId.slice(0, 8)})`;
  notifications.show({ color: "red", title: common.notDone, message: known.message + id, autoClose: 12_000, role: "alert" });
}

/**
 * A write. On failure the desk's sentence is shown, unless its details name fields and `onFields` takes
 * them (to stand beside the fields), or unless its code is among `shown`, which the page tells itself; on success the queries of `nouns` are read again.
 */
export function useWrite<In, Out>(
  write: (input: In) => Promise<Out>,
  options: { nouns: readonly string[]; done?: (out: Out, input: In) => void; onFields?: (fields: Record<string, string>) => void; shown?: readonly string[] },
): UseMutationResult<Out, unknown, In> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: write,
    onSuccess: (out, input) => options.done?.(out, input),
    onError: (error) => {
      const fields = error instanceof DeskError ? error.fields : {};
      if (options.onFields && Object.keys(fields).length > 0) options.onFields(fields);
      else if (!(error instanceof DeskError && options.shown?.includes(error.code))) tell(error);
    },
    onSettled: () => queries.invalidateQueries({ predicate: ({ queryKey }) => options.nouns.includes(String(queryKey[0])) }),
  });
}
