import { deskError, DeskError, type Schemas } from "@/lib/api";
import { common } from "@/lib/strings";

/** Sends a file, telling how much of it went. By XMLHttpRequest: fetch does not tell. */
export function upload(file: File, progress: (share: number) => void, stop: AbortSignal): Promise<Schemas["Uploaded"]> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/history/uploads?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress(total > 0 ? loaded / total : 0);
    request.onload = () => (request.status < 300 ? resolve(request.response as Schemas["Uploaded"]) : reject(deskError(request.status, request.response)));
    request.onerror = () => reject(new DeskError(0, "no_answer", common.noAnswer));
    request.onabort = () => reject(new DeskError(0, "stopped", file.name));
    stop.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
