import { api, take } from "@/lib/api";
import { useWrite } from "@/lib/mutation";

/** Switches a strategy on or off. */
export const useSwitch = () =>
  useWrite(
    ({ id, enabled }: { id: string; enabled: boolean }) => take(api.POST("/api/strategies/{strategy_id}/toggle", { params: { path: { strategy_id: id } }, body: { enabled } })),
    { nouns: ["strategies", "status"] },
  );
