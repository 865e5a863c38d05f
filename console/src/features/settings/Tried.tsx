import { Alert } from "@mantine/core";
import type { ReactNode } from "react";
import type { Schemas } from "@/lib/api";
import { common, settings } from "@/lib/strings";

const words = settings.integrations;

/** What a try of a connection showed: the sentence, what was found, and every request that was made. */
export function Tried({ tried }: { tried: Schemas["Tried"] }): ReactNode {
  return (
    <Alert color={tried.ok ? "blue" : "red"} title={tried.ok ? words.works : words.worksNot} role="status" mt={8}>
      <div>{tried.said}</div>
      {tried.shape && <div className="dim">{words.shape}: {tried.shape}</div>}
      <div className="dim" style={{ marginTop: 6 }}>{tried.requests.length === 0 ? words.nothingAsked : words.tried} ({tried.seconds.toFixed(2)} s)</div>
      {tried.requests.map((one, index) => (
        <div key={index} className="row">
          <span className="what" title={one.host}>{one.address}</span>
          <span className={`num ${one.error ? "danger" : ""}`}>{one.error ?? `${words.request.status} ${one.status ?? common.unknown}`}</span>
          <span className="num dim">{one.bytes === null ? "" : `${one.bytes} B`}</span>
          <span className="num dim">{one.seconds.toFixed(2)} s</span>
        </div>
      ))}
    </Alert>
  );
}
