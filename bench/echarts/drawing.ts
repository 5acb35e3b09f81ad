/** A chart before it is drawn. */
export interface Drawing {
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** What ECharts' `setOption` takes, without functions. */
  readonly option: Readonly<Record<string, unknown>>;
}
