import { Alert, Button, Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useNow } from "@/lib/clock";
import { relative } from "@/lib/format";
import { common } from "@/lib/strings";

/**
 * What a query has to show: a skeleton of `height` while it loads, the desk's sentence where it failed, its
 * last data in grey with their age where a later reading failed, `empty` where `isEmpty` says so.
 */
export function StateOf<T>(props: {
  query: UseQueryResult<T>;
  what: string;
  height?: number;
  isEmpty?: (data: T) => boolean;
  empty?: ReactNode;
  children: (data: T) => ReactNode;
}): ReactNode {
  const { query, what, height = 80, isEmpty, empty = common.nothing, children } = props;
  const now = useNow();
  if (query.data === undefined) {
    if (query.error)
      return (
        <Alert color="red" title={common.failed(what)} role="alert">
          {query.error.message}{" "}
          <Button size="compact-xs" variant="default" onClick={() => void query.refetch()}>{common.retry}</Button>
        </Alert>
      );
    return <Skeleton height={height} role="progressbar" aria-label={common.loading} />;
  }
  const shown = isEmpty?.(query.data) ? <div className="dim">{empty}</div> : children(query.data);
  if (!query.error) return shown;
  return (
    <div style={{ filter: "grayscale(1)" }}>
      <div className="warn" role="status" title={query.error.message}>
        {common.failed(what)}, {common.stale(relative(query.dataUpdatedAt, now))}
      </div>
      {shown}
    </div>
  );
}
