# Run once in each zygote, after the imports: what every first use would do again.
import io

import matplotlib.font_manager
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

frame = pd.DataFrame({"number": np.arange(6) / 2, "text": list("abcdef")})
repr(frame)
frame._repr_html_()
frame.describe()
frame.groupby("text").sum()
np.linalg.inv(np.eye(3) + np.ones((3, 3)))
np.arange(10.0).mean()
figure, axes = plt.subplots()
axes.plot(range(10), label="line")
axes.legend()
axes.set_title("Title")
figure.savefig(io.BytesIO(), format="png")
plt.close("all")
matplotlib.font_manager._get_font.cache_clear()  # it holds open files, which runs would find closed
